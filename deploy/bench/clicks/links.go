package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/redis/go-redis/v9"

	"keyhole/gateway/api"
	"keyhole/gateway/client"
)

// The storage of the benchmark. The secret protects nothing: the storage listens on loopback
// and ends with the benchmark.
const (
	region    = "us-east-1"
	bucket    = "reports"
	accessKey = "KEYHOLEBENCHACCESS"
	secretKey = "a-secret-of-the-benchmark"
)

// objectKey returns the key of an object, about 50 bytes as usual keys have.
func objectKey(i int) string {
	return fmt.Sprintf("exports/2026/11/team-%02d/quarterly-report-%06d.pdf", i%40, i)
}

// storage returns a client of the storage, to store the objects and to presign the URLs of
// the floors.
func (b *bench) storage() *s3.Client {
	return s3.New(s3.Options{
		Region: region, BaseEndpoint: aws.String(b.endpoint), UsePathStyle: true,
		Credentials: credentials.NewStaticCredentialsProvider(accessKey, secretKey, ""),
	})
}

// putObjects stores an object for each link. They are small, because no measurement
// downloads one: a click ends with the redirect.
func (b *bench) putObjects(ctx context.Context) error {
	storage := b.storage()
	if _, err := storage.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: aws.String(bucket)}); err != nil {
		return err
	}
	return each(make([]string, b.o.links), func(i int, _ string) error {
		_, err := storage.PutObject(ctx, &s3.PutObjectInput{
			Bucket: aws.String(bucket), Key: aws.String(objectKey(i)),
			ContentType: aws.String("application/pdf"), Body: bytes.NewReader([]byte("a report")),
		})
		return err
	})
}

// fill writes the links of a kind, or the records of the floors, into a Redis that does
// not have them yet. Tokens of malformed and unknown links are in no Redis; only wrk and
// the open loop need them.
func (b *bench) fill(ctx context.Context, s *store, kind string) (err error) {
	if s.tokens[kind] != nil {
		return nil
	}
	tokens := make([]string, b.o.links)
	switch kind {
	case linksPlain, linksPinned, linksLimited, linksRevoked:
		tokens, err = b.issue(ctx, s, kind)
	case linksMalformed:
		for i := range tokens {
			tokens[i] = "favicon.ico"
		}
	default:
		for i := range tokens {
			tokens[i] = madeUp()
		}
		if kind == linksOfFloors {
			err = b.fillFloors(ctx, s, tokens)
		}
	}
	if err != nil {
		return fmt.Errorf("links, %s: %w", kind, err)
	}
	file, err := os.CreateTemp(b.o.scratch, "links")
	if err != nil {
		return err
	}
	_, err = file.WriteString(strings.Join(tokens, "\n") + "\n")
	s.tokens[kind], s.files[kind] = tokens, file.Name()
	return errors.Join(err, file.Close())
}

// issue issues one link of a kind for every object, valid for a day, through the API of a
// gateway of its own, and revokes it if the kind wants that. The links of two commits are
// the same, because the newest program issues all of them. A limit of a million clicks is
// never reached.
func (b *bench) issue(ctx context.Context, s *store, kind string) ([]string, error) {
	gateway, _, err := b.startGateway(ctx, s, b.o.keyhole, defaultCheck)
	if err != nil {
		return nil, err
	}
	defer gateway.stop()
	operator, err := client.New("http://"+s.operator, b.key)
	if err != nil {
		return nil, err
	}
	tokens := make([]string, b.o.links)
	return tokens, each(tokens, func(i int, _ string) error {
		request := api.IssueRequest{Bucket: bucket, Key: objectKey(i), ExpiresIn: "24h", Pin: "none"}
		switch kind {
		case linksPinned:
			request.Pin = "auto"
		case linksLimited:
			request.MaxClicks = new(int64)
			*request.MaxClicks = 1_000_000
		}
		link, err := operator.Issue(ctx, request)
		if err != nil {
			return err
		}
		tokens[i] = link.URL[strings.LastIndexByte(link.URL, '/')+1:]
		if kind == linksRevoked {
			_, err = operator.Revoke(ctx, link.ID, "")
		}
		return err
	})
}

// fillFloors writes the keys that the floors read: a stored presigned URL and a record.
func (b *bench) fillFloors(ctx context.Context, s *store, tokens []string) error {
	presigner := s3.NewPresignClient(b.storage())
	client := redis.NewUniversalClient(&redis.UniversalOptions{Addrs: s.addresses})
	defer func() { _ = client.Close() }()
	return each(tokens, func(i int, token string) error {
		signed, err := presigner.PresignGetObject(ctx, &s3.GetObjectInput{
			Bucket: aws.String(bucket), Key: aws.String(objectKey(i)),
			ResponseContentDisposition: aws.String(`attachment; filename="` + filepath.Base(objectKey(i)) + `"`),
			ResponseContentType:        aws.String("application/pdf"),
		}, s3.WithPresignExpires(24*time.Hour))
		if err != nil {
			return err
		}
		record, err := json.Marshal(map[string]any{
			"bucket": bucket, "key": objectKey(i), "expires": time.Now().Add(24 * time.Hour),
		})
		if err != nil {
			return err
		}
		pipe := client.Pipeline()
		pipe.Set(ctx, token, signed.URL, 24*time.Hour)
		pipe.Set(ctx, "json:"+token, record, 24*time.Hour)
		_, err = pipe.Exec(ctx)
		return err
	})
}

// madeUp returns 22 letters that have the form of a token: the alphabet has no letters that
// people confuse. The letters are not distributed evenly, which no measurement needs.
func madeUp() string {
	const letters = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
	drawn := make([]byte, 22)
	_, _ = rand.Read(drawn) // It never fails.
	for i, b := range drawn {
		drawn[i] = letters[int(b)%len(letters)]
	}
	return string(drawn)
}

// hashOf returns the SHA-256 of an operator key for the configuration, which has only hashes
// of keys.
func hashOf(key string) string {
	sum := sha256.Sum256([]byte(key))
	return hex.EncodeToString(sum[:])
}
