package objects

import (
	"context"
	"fmt"
	"net/url"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"keyhole/gateway"
)

// List implements gateway.Objects (AWS, "ListObjectsV2"). It leaves out keys that are not
// valid UTF-8, because a link cannot have such a key.
func (s *Storage) List(ctx context.Context, q gateway.KeyQuery) (gateway.KeyPage, error) {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	in := &s3.ListObjectsV2Input{
		Bucket: &q.Bucket, Prefix: nonEmpty(q.Prefix), MaxKeys: aws.Int32(int32(q.Limit)), //nolint:gosec // At most 1000.
		ContinuationToken: nonEmpty(q.Token), StartAfter: nonEmpty(q.After), RequestPayer: s.payer,
		// XML 1.0 cannot express control characters, so one such key would make the
		// whole page unreadable.
		EncodingType: types.EncodingTypeUrl,
	}
	if q.Folders {
		in.Delimiter = aws.String("/")
	}
	out, err := request(s, OpListObjects, func() (*s3.ListObjectsV2Output, error) {
		return s.client.ListObjectsV2(ctx, in)
	})
	if err != nil {
		return gateway.KeyPage{}, err
	}
	if out.Name == nil { // The SDK reads an answer that is not XML as an empty listing.
		return gateway.KeyPage{}, fmt.Errorf("%w: list: the answer is not a listing", gateway.ErrUnavailable)
	}
	page, err := keyPage(out)
	if err != nil {
		return gateway.KeyPage{}, fmt.Errorf("%w: list: %w", gateway.ErrUnavailable, err)
	}
	return page, nil
}

// keyPage returns the folders and objects of a listing whose keys are valid UTF-8.
func keyPage(out *s3.ListObjectsV2Output) (page gateway.KeyPage, err error) {
	// A storage that does not support url encoding returns no EncodingType.
	decode := func(text *string) (string, error) { return aws.ToString(text), nil }
	if out.EncodingType == types.EncodingTypeUrl {
		decode = func(text *string) (string, error) { return url.QueryUnescape(aws.ToString(text)) }
	}
	if aws.ToBool(out.IsTruncated) {
		page.Token = aws.ToString(out.NextContinuationToken)
	}
	for _, folder := range out.CommonPrefixes {
		name, err := decode(folder.Prefix)
		if err != nil {
			return gateway.KeyPage{}, err
		}
		if utf8.ValidString(name) {
			page.Folders = append(page.Folders, name)
		}
	}
	for i := range out.Contents {
		listed := &out.Contents[i]
		key, err := decode(listed.Key)
		if err != nil {
			return gateway.KeyPage{}, err
		}
		if utf8.ValidString(key) {
			page.Objects = append(page.Objects, gateway.ObjectEntry{
				Key: key, Size: sizeOf(listed.Size), ETag: aws.ToString(listed.ETag),
				LastModified: aws.ToTime(listed.LastModified).UTC(), StorageClass: string(listed.StorageClass),
			})
		}
	}
	return page, nil
}
