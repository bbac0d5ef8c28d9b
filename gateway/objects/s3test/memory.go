package s3test

import (
	"net/http/httptest"
	"testing"

	"github.com/rclone/gofakes3"
	"github.com/rclone/gofakes3/s3mem"
)

// StartMemory starts the S3 server in the process that the demo has, with the
// buckets. It has one user.
func StartMemory(tb testing.TB, buckets ...string) *Server {
	tb.Helper()
	users := gofakes3.WithV4Auth(map[string]string{RootKey: RootSecret})
	server := httptest.NewServer(gofakes3.New(s3mem.New(), users).Server())
	tb.Cleanup(server.Close)
	s := newServer("in-process", "http", server.Listener.Addr().String(), Region, nil)
	s.CreateBuckets(tb, buckets...)
	return s
}
