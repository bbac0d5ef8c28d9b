package gateway

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// The values of a pin: the property of the object that clicks compare with the approved
// object. PinAuto is for requests only: Keyhole then chooses one of the other values.
const (
	PinAuto    = "auto"
	PinVersion = "version"
	PinETag    = "etag"
	// PinNone means that clicks do not compare the object with the approved one.
	PinNone = "none"
)

// maxVersionID is the longest version ID in bytes (AWS, "Versioning workflows").
const maxVersionID = 1024

// checkPin returns the error in the pin of a request.
func checkPin(req *IssueRequest) []FieldError {
	switch req.Pin {
	case "", PinAuto, PinVersion:
	case PinETag, PinNone:
		if req.VersionID != "" {
			return []FieldError{{
				"version_id", "conflict", "version_id needs the pin " + PinVersion + "; change pin or remove version_id",
			}}
		}
	default:
		return []FieldError{{"pin", "invalid", "must be auto, version, etag or none"}}
	}
	switch {
	case req.VersionID == "null":
		return []FieldError{{
			"version_id", "no_versions",
			`the version "null" is not unique: the next object under this key has the same version; remove version_id`,
		}}
	case len(req.VersionID) > maxVersionID,
		strings.ContainsFunc(req.VersionID, func(r rune) bool { return r <= ' ' || r > '~' }):
		return []FieldError{{"version_id", "invalid", "must have at most 1024 printable ASCII characters, without spaces"}}
	}
	return nil
}

// prove reads the object, or the requested version of it, and chooses the pin of the
// link. If the storage reports neither a version nor an ETag, the pin is none. For a
// sensitive object the operator must request the pin none explicitly.
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
		return ObjectInfo{}, "", Invalid("pin", "no_versions", noVersions)
	case object.ETag == "" && sensitive:
		return ObjectInfo{}, "", Invalid("pin", "not_pinnable", "the storage reports neither a version nor an ETag, "+
			"so a link would deliver any object that replaces this one; "+
			"the object is sensitive, so send the pin none if you accept that")
	case object.ETag == "":
		pin = PinNone
	default:
		pin = PinETag
	}
	if pin == PinETag && object.ETag == "" {
		return ObjectInfo{}, "", Invalid("pin", "invalid",
			"the storage reports no ETag for this object; only the pin none is possible")
	}
	return object, pin, nil
}

// noVersions is the message if a version is requested that the service cannot read.
const noVersions = "the bucket keeps no versions of this object, " +
	"or the service may not read them (s3:GetObjectVersion)"

// proveVersion checks the proof of a requested version. The current object must exist
// too, because deleting an object ends the links to all its versions.
func proveVersion(ctx context.Context, storage *Storage, req *IssueRequest, version ObjectInfo, proof error) error {
	missing := errors.Is(proof, ErrObjectNotFound)
	if proof != nil && !missing {
		return proofError(proof)
	}
	current, err := storage.Objects.Stat(ctx, req.Bucket, req.Key, "")
	switch {
	case errors.Is(err, ErrObjectNotFound):
		return invalidBecause(err, "key", "object_not_found",
			"there is no such object in the bucket now; versions of a deleted object cannot be shared")
	case err != nil && !unreadable(err): // the link does not deliver the current object
		return proofError(err)
	case missing && err == nil && current.VersionID == "", !missing && version.VersionID != req.VersionID:
		return Invalid("version_id", "no_versions", noVersions)
	case missing:
		return Invalid("version_id", "object_not_found", "the object has no such version")
	}
	return nil
}

// compare checks that the object is still the one that the link is pinned to, and that it
// can be read. Otherwise it returns ErrObjectChanged, ErrObjectNotFound or an error of
// unreadable.
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

// unreadable reports whether an error means that the object exists but that no presigned
// URL can read it now.
func unreadable(err error) bool {
	return errors.Is(err, ErrObjectArchived) || errors.Is(err, ErrObjectEncrypted) || errors.Is(err, ErrObjectKMS)
}
