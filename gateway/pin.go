package gateway

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// What a link is pinned to. PinAuto is a request's alone: a link is pinned to
// what it came to.
const (
	PinAuto    = "auto"
	PinVersion = "version"
	PinETag    = "etag"
	// PinNone means that no click compares the object with the one approved.
	PinNone = "none"
)

// maxVersionID is the longest version ID in bytes (AWS, "Versioning workflows").
const maxVersionID = 1024

// checkPin names what is wrong with the pin that is asked for.
func checkPin(req *IssueRequest) []FieldError {
	switch req.Pin {
	case "", PinAuto, PinVersion:
	case PinETag, PinNone:
		if req.VersionID != "" {
			return []FieldError{{"version_id", "conflict", "a version is what the pin " + PinVersion + " is for; leave out one of them"}}
		}
	default:
		return []FieldError{{"pin", "invalid", "auto, version, etag or none"}}
	}
	switch {
	case req.VersionID == "null":
		return []FieldError{{"version_id", "no_versions", `"null" is no version: the next object under this key would have it too`}}
	case len(req.VersionID) > maxVersionID, strings.ContainsFunc(req.VersionID, func(r rune) bool { return r <= ' ' || r > '~' }):
		return []FieldError{{"version_id", "invalid", "that cannot be a version's ID"}}
	}
	return nil
}

// prove lets the storage prove the object, or the version of it that is asked
// for, and decides what the link is pinned to. What cannot be pinned is not
// pinned, unless the object is sensitive: then the operator must ask for that.
func prove(
	ctx context.Context, storage *Storage, req *IssueRequest, sensitive bool,
) (object ObjectInfo, pin string, err error) {
	object, err = storage.Objects.Prove(ctx, req.Bucket, req.Key, req.VersionID)
	if req.VersionID != "" {
		if err = proveVersion(ctx, storage, req, object, err); err != nil {
			return ObjectInfo{}, "", err
		}
		return object, PinVersion, nil
	}
	if err != nil {
		return ObjectInfo{}, "", proofError(err)
	}
	switch {
	case req.Pin == PinNone, req.Pin == PinETag:
		pin = req.Pin
	case object.VersionID != "":
		pin = PinVersion
	case req.Pin == PinVersion:
		return ObjectInfo{}, "", Invalid("pin", "no_versions", "the bucket keeps no versions of this object, or none that the service may read (s3:GetObjectVersion)")
	case object.ETag == "" && sensitive:
		return ObjectInfo{}, "", Invalid("pin", "not_pinnable", "the storage reports neither a version nor an ETag, "+
			"so a link would deliver whatever replaces this object; "+
			"the object is sensitive, so ask for the pin none if you accept that")
	case object.ETag == "":
		pin = PinNone
	default:
		pin = PinETag
	}
	if pin == PinETag && object.ETag == "" {
		return ObjectInfo{}, "", Invalid("pin", "invalid", "the storage gives this object no ETag to compare; only the pin none is possible")
	}
	return object, pin, nil
}

// proveVersion judges the proof of a version that was asked for by its ID. The
// current object must be there too: where it was deleted, so are its links.
func proveVersion(ctx context.Context, storage *Storage, req *IssueRequest, version ObjectInfo, proof error) error {
	missing := errors.Is(proof, ErrObjectNotFound)
	if proof != nil && !missing {
		return proofError(proof)
	}
	current, err := storage.Objects.Stat(ctx, req.Bucket, req.Key, "")
	switch {
	case errors.Is(err, ErrObjectNotFound):
		return invalidBecause(err, "key", "object_not_found", "there is no such object in the bucket now; what has been deleted cannot be shared by its versions")
	case err != nil && !unreadable(err): // the current object need not be read
		return proofError(err)
	case missing && err == nil && current.VersionID == "", !missing && version.VersionID != req.VersionID:
		return Invalid("version_id", "no_versions", "the bucket keeps no versions of this object, or none that the service may read (s3:GetObjectVersion)")
	case missing:
		return Invalid("version_id", "object_not_found", "the object has no such version")
	}
	return nil
}

// compare asks whether the object is still the one that the link is pinned to, and
// can be read. The errors that say no are ErrObjectChanged, ErrObjectNotFound and
// those of unreadable.
func (s *Service) compare(ctx context.Context, storage *Storage, p *Permission) error {
	if p.Pin == PinNone {
		return nil
	}
	current, err := s.checks.stat(ctx, storage, &p.Ref, "")
	switch {
	case err != nil && !unreadable(err):
		return fmt.Errorf("check the object: %w", err)
	case p.Pin == PinETag && current.ETag != p.ETag:
		return ErrObjectChanged
	case p.Pin == PinVersion && current.VersionID != p.VersionID:
		if _, err := s.checks.stat(ctx, storage, &p.Ref, p.VersionID); err != nil {
			return fmt.Errorf("check the version: %w", err)
		}
	case err != nil:
		return fmt.Errorf("check the object: %w", err)
	}
	return nil
}

// unreadable tells whether a storage answered that an object exists, and that
// nobody can read it with a presigned URL now.
func unreadable(err error) bool {
	return errors.Is(err, ErrObjectArchived) || errors.Is(err, ErrObjectEncrypted) || errors.Is(err, ErrObjectKMS)
}
