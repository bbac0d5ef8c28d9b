package objects

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
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
	if errors.Is(err, gateway.ErrObjectNotFound) || errors.Is(err, gateway.ErrUnavailable) {
		return gateway.ObjectInfo{}, err
	}
	var info gateway.ObjectInfo
	if err == nil {
		info = infoOf(head)
	}
	// A refused HEAD has no body to say why: the GET's error has.
	empty := err == nil && info.Size == 0
	readErr := s.readFirstByte(ctx, bucket, key, cmp.Or(version, info.VersionID), empty)
	if version == "" && info.VersionID != "" && errors.Is(readErr, gateway.ErrObjectNotReadable) {
		info.VersionID = ""
		readErr = s.readFirstByte(ctx, bucket, key, "", empty)
	}
	switch {
	case errors.Is(readErr, gateway.ErrObjectNotReadable) && err == nil && underKMS(head):
		// Who may ask and not read lacks the object or its key; S3 says
		// AccessDenied of both.
		return gateway.ObjectInfo{}, fmt.Errorf("%w: %w", gateway.ErrObjectKMS, readErr)
	case readErr != nil:
		return gateway.ObjectInfo{}, readErr
	case err != nil:
		return gateway.ObjectInfo{}, err
	}
	return info, nil
}

// Stat tells what the object is now, or one version of it: a HEAD.
func (s *Storage) Stat(ctx context.Context, bucket, key, version string) (gateway.ObjectInfo, error) {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	head, err := s.head(ctx, bucket, key, version)
	if err != nil {
		return gateway.ObjectInfo{}, err
	}
	return infoOf(head), nil
}

// infoOf reads what a HEAD says of an object.
func infoOf(head *s3.HeadObjectOutput) gateway.ObjectInfo {
	info := gateway.ObjectInfo{
		Size:         aws.ToInt64(head.ContentLength),
		ETag:         aws.ToString(head.ETag),
		VersionID:    aws.ToString(head.VersionId),
		ContentType:  aws.ToString(head.ContentType),
		LastModified: aws.ToTime(head.LastModified).UTC(),
	}
	if info.VersionID == nullVersion {
		info.VersionID = ""
	}
	return info
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

// head asks what the object is.
func (s *Storage) head(ctx context.Context, bucket, key, version string) (*s3.HeadObjectOutput, error) {
	in := &s3.HeadObjectInput{Bucket: &bucket, Key: &key, VersionId: nonEmpty(version), RequestPayer: s.payer}
	return ask(s, OpHeadObject, func() (*s3.HeadObjectOutput, error) { return s.client.HeadObject(ctx, in) })
}

// readFirstByte reads the first byte of the object, or the whole of an empty
// one, of which no byte can be asked for.
func (s *Storage) readFirstByte(ctx context.Context, bucket, key, version string, empty bool) error {
	in := &s3.GetObjectInput{
		Bucket: &bucket, Key: &key, VersionId: nonEmpty(version), RequestPayer: s.payer, Range: aws.String("bytes=0-0"),
	}
	if empty {
		in.Range = nil
	}
	_, err := ask(s, OpGetObject, func() (struct{}, error) {
		out, err := s.client.GetObject(ctx, in)
		if err == nil {
			_, err = io.CopyN(io.Discard, out.Body, 1)
			if empty && errors.Is(err, io.EOF) {
				err = nil
			}
			err = errors.Join(err, out.Body.Close())
		}
		return struct{}{}, err
	})
	if codeOf(err) == "InvalidRange" && !empty { // empty after all: nobody said so before
		return s.readFirstByte(ctx, bucket, key, version, true)
	}
	if codeOf(err) == "InvalidArgument" && version != "" && !errors.Is(err, gateway.ErrObjectEncrypted) { // it cannot be the name of a version
		return fmt.Errorf("%w: %w", gateway.ErrObjectNotFound, err)
	}
	return err
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
