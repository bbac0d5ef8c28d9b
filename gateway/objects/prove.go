package objects

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"keyhole/gateway"
)

// Prove implements gateway.Objects. It sends a HEAD for the properties of the object, and a
// GET of its first byte, because the permission for HEAD does not include reading. Reading
// a version also needs s3:GetObjectVersion. Without that permission, Prove returns the
// object without a version, so that no link is pinned to a version nobody can read.
func (s *Storage) Prove(ctx context.Context, bucket, key, version string) (gateway.ObjectInfo, error) {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	head, err := s.head(ctx, bucket, key, version)
	switch {
	case errors.Is(err, gateway.ErrObjectNotFound) && version != "":
		return s.versionByGet(ctx, bucket, key, version, err)
	case errors.Is(err, gateway.ErrObjectNotFound), errors.Is(err, gateway.ErrUnavailable):
		return gateway.ObjectInfo{}, err
	}
	var info gateway.ObjectInfo
	if err == nil {
		info = infoOfHead(head)
	}
	// The answer to a HEAD has no body, so only the GET says why the storage refuses.
	empty := err == nil && info.Size == 0
	read, readErr := s.readFirstByte(ctx, bucket, key, cmp.Or(version, info.VersionID), empty)
	if version == "" && info.VersionID != "" && errors.Is(readErr, gateway.ErrObjectNotReadable) {
		info.VersionID = ""
		read, readErr = s.readFirstByte(ctx, bucket, key, "", empty)
	}
	switch {
	case errors.Is(readErr, gateway.ErrObjectNotReadable) && err == nil && underKMS(head):
		return gateway.ObjectInfo{}, deniedByKMS(readErr)
	case readErr != nil:
		return gateway.ObjectInfo{}, readErr
	case err != nil:
		return gateway.ObjectInfo{}, err
	}
	if info.Size == gateway.UnknownSize {
		info.Size = read.Size
	}
	if info.LastModified.IsZero() {
		info.LastModified = read.LastModified
	}
	return info, nil
}

// Stat implements gateway.Objects. It sends a HEAD, and a GET of the first byte if the HEAD
// does not show whether the object can be read.
func (s *Storage) Stat(ctx context.Context, bucket, key, version string) (gateway.ObjectInfo, error) {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	head, err := s.head(ctx, bucket, key, version)
	switch {
	case errors.Is(err, gateway.ErrObjectNotFound) && version != "":
		return s.versionByGet(ctx, bucket, key, version, err)
	case statusOf(err) == http.StatusBadRequest: // for example under SSE-C; only the error of a GET says why
		if _, readErr := s.readFirstByte(ctx, bucket, key, version, false); readErr != nil {
			err = readErr
		}
	}
	if err != nil {
		return gateway.ObjectInfo{}, err
	}
	info := infoOfHead(head)
	if !archived(head) && !underKMS(head) {
		return info, nil
	}
	_, err = s.readFirstByte(ctx, bucket, key, version, info.Size == 0)
	if errors.Is(err, gateway.ErrObjectNotReadable) && underKMS(head) {
		err = deniedByKMS(err)
	}
	return info, err
}

// versionByGet reads the first byte of a version that a HEAD did not find. After an object
// was overwritten while versioning was suspended, versitygw 1.8 answers 404 to the HEAD of
// every version, but still delivers each version to a GET. missing is the error of the
// HEAD.
func (s *Storage) versionByGet(
	ctx context.Context, bucket, key, version string, missing error,
) (gateway.ObjectInfo, error) {
	read, err := s.readFirstByte(ctx, bucket, key, version, false)
	switch {
	case errors.Is(err, gateway.ErrUnavailable), errors.Is(err, gateway.ErrObjectArchived),
		errors.Is(err, gateway.ErrObjectEncrypted), errors.Is(err, gateway.ErrObjectKMS):
		return gateway.ObjectInfo{}, err
	case err != nil || read.VersionID != version:
		return gateway.ObjectInfo{}, missing
	}
	return read, nil
}

// infoOfHead returns the properties of an object in the answer to a HEAD.
func infoOfHead(head *s3.HeadObjectOutput) gateway.ObjectInfo {
	return gateway.ObjectInfo{
		Size:         sizeOf(head.ContentLength),
		ETag:         aws.ToString(head.ETag),
		VersionID:    versionOf(head.VersionId),
		ContentType:  aws.ToString(head.ContentType),
		LastModified: aws.ToTime(head.LastModified).UTC(),
	}
}

// infoOfGet returns the properties of an object in the answer to a GET of the first byte.
func infoOfGet(got *s3.GetObjectOutput, ranged bool) gateway.ObjectInfo {
	info := gateway.ObjectInfo{
		Size:         sizeOf(got.ContentLength),
		ETag:         aws.ToString(got.ETag),
		VersionID:    versionOf(got.VersionId),
		ContentType:  aws.ToString(got.ContentType),
		LastModified: aws.ToTime(got.LastModified).UTC(),
	}
	if ranged {
		// "bytes 0-0/12345", or "bytes 0-0/*" (RFC 9110 section 14.4).
		_, whole, _ := strings.Cut(aws.ToString(got.ContentRange), "/")
		size, err := strconv.ParseInt(whole, 10, 64)
		if err != nil || size < 0 {
			size = gateway.UnknownSize
		}
		info.Size = size
	}
	return info
}

// sizeOf returns the size that a storage reports, or gateway.UnknownSize.
func sizeOf(reported *int64) int64 {
	if reported == nil || *reported < 0 {
		return gateway.UnknownSize
	}
	return *reported
}

// versionOf returns the ID of a version, or an empty string if it is nullVersion.
func versionOf(reported *string) string {
	if version := aws.ToString(reported); version != nullVersion {
		return version
	}
	return ""
}

// nullVersion is the version ID of objects that were stored while the bucket kept no
// versions. The next object under the key gets the same ID, so the ID does not identify
// the content (AWS, "Managing objects with versioning suspended").
const nullVersion = "null"

// underKMS reports whether reading the object needs a key of AWS KMS.
func underKMS(head *s3.HeadObjectOutput) bool {
	return head.ServerSideEncryption == types.ServerSideEncryptionAwsKms ||
		head.ServerSideEncryption == types.ServerSideEncryptionAwsKmsDsse
}

// deniedByKMS returns the error for an object under KMS if a HEAD succeeds and reading is
// denied. S3 answers AccessDenied both if the right to read the object is missing and if
// the right to use the key is missing.
func deniedByKMS(refusal error) error { return fmt.Errorf("%w: %w", gateway.ErrObjectKMS, refusal) }

// archived reports whether an object may have to be restored before it can be read. Only a
// GET tells for certain: a restored object keeps its storage class, and some storages use
// these names for classes that can be read immediately.
func archived(head *s3.HeadObjectOutput) bool {
	return head.StorageClass == types.StorageClassGlacier || head.StorageClass == types.StorageClassDeepArchive ||
		head.ArchiveStatus != ""
}

// head sends a HEAD for the object.
func (s *Storage) head(ctx context.Context, bucket, key, version string) (*s3.HeadObjectOutput, error) {
	in := &s3.HeadObjectInput{Bucket: &bucket, Key: &key, VersionId: nonEmpty(version), RequestPayer: s.payer}
	return request(s, OpHeadObject, func() (*s3.HeadObjectOutput, error) { return s.client.HeadObject(ctx, in) })
}

// readFirstByte reads the first byte of the object and returns the object's properties. It
// requests an empty object without a range, because an empty object has no first byte.
func (s *Storage) readFirstByte(
	ctx context.Context, bucket, key, version string, empty bool,
) (gateway.ObjectInfo, error) {
	in := &s3.GetObjectInput{
		Bucket: &bucket, Key: &key, VersionId: nonEmpty(version), RequestPayer: s.payer, Range: aws.String("bytes=0-0"),
	}
	if empty {
		in.Range = nil
	}
	info, err := request(s, OpGetObject, func() (gateway.ObjectInfo, error) {
		out, err := s.client.GetObject(ctx, in)
		if err != nil {
			return gateway.ObjectInfo{}, err
		}
		_, err = io.CopyN(io.Discard, out.Body, 1)
		if empty && errors.Is(err, io.EOF) {
			err = nil
		}
		// A storage that ignores Range answers with the whole object.
		ranged := out.ContentRange != nil || aws.ToInt64(out.ContentLength) == 1
		return infoOfGet(out, ranged), errors.Join(err, out.Body.Close())
	})
	if codeOf(err) == "InvalidRange" && !empty { // The object is empty, which the HEAD did not show.
		return s.readFirstByte(ctx, bucket, key, version, true)
	}
	if codeOf(err) == "InvalidArgument" && version != "" && !errors.Is(err, gateway.ErrObjectEncrypted) {
		// The storage does not accept the form of the version ID.
		return info, fmt.Errorf("%w: %w", gateway.ErrObjectNotFound, err)
	}
	return info, err
}

// retrySkew is the smallest correction of the storage's clock after which a refused request
// is repeated: the storage may have refused the time of the signature.
const retrySkew = 5 * time.Second

// request sends one request to the storage. If the storage's clock differs from the known
// time, the storage refuses the first request, and its answer corrects the clock. Then
// request repeats the request with the corrected time.
func request[T any](s *Storage, operation string, send func() (T, error)) (T, error) {
	start, before := time.Now(), s.clock.Ahead()
	out, err := send()
	if refused(err) && (s.clock.Ahead()-before).Abs() >= retrySkew {
		out, err = send()
	}
	return out, s.finish(operation, start, err)
}
