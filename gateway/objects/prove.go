package objects

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"keyhole/gateway"
)

// Prove shows that the object exists and that the service may read it: a HEAD
// for what it is, and a GET of its first byte, because a permission to ask is
// not one to read.
func (s *Storage) Prove(ctx context.Context, bucket, key string) (gateway.ObjectInfo, error) {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	head, err := s.head(ctx, bucket, key)
	if errors.Is(err, gateway.ErrObjectNotFound) || errors.Is(err, gateway.ErrUnavailable) {
		return gateway.ObjectInfo{}, err
	}
	// A refused HEAD has no body to say why: the GET's error has.
	empty := err == nil && aws.ToInt64(head.ContentLength) == 0
	if err := s.readFirstByte(ctx, bucket, key, empty); err != nil {
		return gateway.ObjectInfo{}, err
	}
	if err != nil {
		// The GET was answered, so what refused the HEAD has passed: the first
		// request to a storage whose clock is far off is signed by the wrong time.
		if head, err = s.head(ctx, bucket, key); err != nil {
			return gateway.ObjectInfo{}, err
		}
	}
	return gateway.ObjectInfo{
		Size:         aws.ToInt64(head.ContentLength),
		ETag:         aws.ToString(head.ETag),
		VersionID:    aws.ToString(head.VersionId),
		ContentType:  aws.ToString(head.ContentType),
		LastModified: aws.ToTime(head.LastModified).UTC(),
	}, nil
}

// head asks what the object is.
func (s *Storage) head(ctx context.Context, bucket, key string) (*s3.HeadObjectOutput, error) {
	begun := time.Now()
	out, err := s.client.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &bucket, Key: &key, RequestPayer: s.payer})
	return out, s.judge(OpHeadObject, begun, err)
}

// readFirstByte reads the first byte of the object, or the whole of an empty
// one, of which no byte can be asked for.
func (s *Storage) readFirstByte(ctx context.Context, bucket, key string, empty bool) error {
	in := &s3.GetObjectInput{Bucket: &bucket, Key: &key, RequestPayer: s.payer, Range: aws.String("bytes=0-0")}
	if empty {
		in.Range = nil
	}
	begun := time.Now()
	out, err := s.client.GetObject(ctx, in)
	if err == nil {
		_, err = io.CopyN(io.Discard, out.Body, 1)
		if empty && errors.Is(err, io.EOF) {
			err = nil
		}
		err = errors.Join(err, out.Body.Close())
	}
	return s.judge(OpGetObject, begun, err)
}
