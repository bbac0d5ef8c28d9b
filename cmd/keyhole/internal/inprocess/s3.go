package inprocess

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"mime"
	"net"
	"net/http"
	"path/filepath"
	"time"

	"github.com/rclone/gofakes3"
	"github.com/rclone/gofakes3/s3mem"
)

// Object is one object of an in-process S3 server.
type Object struct {
	Bucket, Key string
	Content     []byte
	Modified    time.Time
}

// S3 is an S3 server in this process. It verifies every signature.
type S3 struct {
	Address           string // host:port
	AccessKey, Secret string // random

	server *http.Server
}

// StartS3 starts a server on an address, with buckets and the objects in them. Port 0 chooses
// a free one. The keys are drawn anew at each start.
func StartS3(ctx context.Context, address string, buckets []string, objects []Object) (*S3, error) {
	s := &S3{AccessKey: "DEMO" + rand.Text()[:16], Secret: rand.Text()}
	backend := s3mem.New()
	for _, bucket := range buckets {
		if err := backend.CreateBucket(ctx, bucket); err != nil {
			return nil, fmt.Errorf("create the bucket %s: %w", bucket, err)
		}
	}
	for _, o := range objects {
		meta := map[string]string{
			"Content-Type":  contentType(o.Key),
			"Last-Modified": o.Modified.UTC().Format(http.TimeFormat),
		}
		if _, err := backend.PutObject(ctx, o.Bucket, o.Key, meta, bytes.NewReader(o.Content),
			int64(len(o.Content))); err != nil {
			return nil, fmt.Errorf("put %s into the bucket %s: %w", o.Key, o.Bucket, err)
		}
	}
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", address, err)
	}
	s.Address = listener.Addr().String()
	handler := gofakes3.New(backend, gofakes3.WithV4Auth(map[string]string{s.AccessKey: s.Secret})).Server()
	s.server = &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second}
	go s.server.Serve(listener) //nolint:errcheck // It ends with Close; other failures show at the first click.
	return s, nil
}

// Close stops the server at once.
func (s *S3) Close() error { return s.server.Close() }

// contentType guesses the type of a file from its name, as upload tools do. Browsers decide
// by it whether they show a file.
func contentType(name string) string {
	if t := mime.TypeByExtension(filepath.Ext(name)); t != "" {
		return t
	}
	return "application/octet-stream"
}
