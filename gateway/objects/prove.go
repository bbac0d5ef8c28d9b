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

// Prove shows that the object exists and that the service may read it: a HEAD
// for what it is, and a GET of its first byte, because a permission to ask is
// not one to read. To read by a version takes one more, s3:GetObjectVersion:
// without it the object has no version that a link could be pinned to.
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
	// A refused HEAD has no body to say why: the GET's error has.
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

// Stat tells what the object is now, or one version of it: a HEAD, and a GET of
// the first byte if the HEAD cannot tell whether the object can be read.
func (s *Storage) Stat(ctx context.Context, bucket, key, version string) (gateway.ObjectInfo, error) {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	head, err := s.head(ctx, bucket, key, version)
	switch {
	case errors.Is(err, gateway.ErrObjectNotFound) && version != "":
		return s.versionByGet(ctx, bucket, key, version, err)
	case statusOf(err) == http.StatusBadRequest: // under SSE-C, for one; the GET's error says why
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

// versionByGet asks for a version that a HEAD did not find by a GET of its first
// byte. versitygw 1.8 answers 404 to the HEAD of every version, and delivers it,
// once the object was overwritten while versioning was suspended. missing is the
// HEAD's error.
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

// infoOfHead reads what a HEAD says of an object.
func infoOfHead(head *s3.HeadObjectOutput) gateway.ObjectInfo {
	return gateway.ObjectInfo{
		Size:         sizeOf(head.ContentLength),
		ETag:         aws.ToString(head.ETag),
		VersionID:    versionOf(head.VersionId),
		ContentType:  aws.ToString(head.ContentType),
		LastModified: aws.ToTime(head.LastModified).UTC(),
	}
}

// infoOfGet reads what the answer to a GET of the first byte says of the object.
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

// sizeOf returns the size that a storage said, if it did.
func sizeOf(said *int64) int64 {
	if said == nil || *said < 0 {
		return gateway.UnknownSize
	}
	return *said
}

// versionOf returns the ID of a version that names one content.
func versionOf(said *string) string {
	if version := aws.ToString(said); version != nullVersion {
		return version
	}
	return ""
}

// nullVersion is the version ID of what was stored while the bucket kept no
// versions. It is the next object's too, so it names no content (AWS, "Managing
// objects with versioning suspended").
const nullVersion = "null"

// underKMS tells whether reading the object takes a key of AWS KMS as well.
func underKMS(head *s3.HeadObjectOutput) bool {
	return head.ServerSideEncryption == types.ServerSideEncryptionAwsKms ||
		head.ServerSideEncryption == types.ServerSideEncryptionAwsKmsDsse
}

// deniedByKMS turns the refusal to read an object under KMS into one by KMS. Who
// may ask and not read lacks the object or its key; S3 says AccessDenied of both.
func deniedByKMS(refusal error) error { return fmt.Errorf("%w: %w", gateway.ErrObjectKMS, refusal) }

// archived tells whether an object may have to be restored before it can be read:
// only a GET knows, because a restored object keeps its class, and a store may
// give these names to classes that can be read at once.
func archived(head *s3.HeadObjectOutput) bool {
	return head.StorageClass == types.StorageClassGlacier || head.StorageClass == types.StorageClassDeepArchive ||
		head.ArchiveStatus != ""
}

// head asks what the object is.
func (s *Storage) head(ctx context.Context, bucket, key, version string) (*s3.HeadObjectOutput, error) {
	in := &s3.HeadObjectInput{Bucket: &bucket, Key: &key, VersionId: nonEmpty(version), RequestPayer: s.payer}
	return ask(s, OpHeadObject, func() (*s3.HeadObjectOutput, error) { return s.client.HeadObject(ctx, in) })
}

// readFirstByte reads the first byte of the object, or the whole of an empty
// one, of which no byte can be asked for, and returns what the answer says of it.
func (s *Storage) readFirstByte(
	ctx context.Context, bucket, key, version string, empty bool,
) (gateway.ObjectInfo, error) {
	in := &s3.GetObjectInput{
		Bucket: &bucket, Key: &key, VersionId: nonEmpty(version), RequestPayer: s.payer, Range: aws.String("bytes=0-0"),
	}
	if empty {
		in.Range = nil
	}
	info, err := ask(s, OpGetObject, func() (gateway.ObjectInfo, error) {
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
	if codeOf(err) == "InvalidRange" && !empty { // empty after all: nobody said so before
		return s.readFirstByte(ctx, bucket, key, version, true)
	}
	if codeOf(err) == "InvalidArgument" && version != "" && !errors.Is(err, gateway.ErrObjectEncrypted) { // it cannot be the name of a version
		return info, fmt.Errorf("%w: %w", gateway.ErrObjectNotFound, err)
	}
	return info, err
}

// skewMatters is the step of the storage's clock from which on a refusal may be
// for the time that a request was signed by.
const skewMatters = 5 * time.Second

// ask asks the storage one question and judges the answer. The first refusal of
// a storage whose clock is off tells what time it has: the question is then
// asked once more, signed by that time.
func ask[T any](s *Storage, operation string, question func() (T, error)) (T, error) {
	begun, before := time.Now(), s.clock.Ahead()
	out, err := question()
	if refused(err) && (s.clock.Ahead()-before).Abs() >= skewMatters {
		out, err = question()
	}
	return out, s.judge(operation, begun, err)
}
