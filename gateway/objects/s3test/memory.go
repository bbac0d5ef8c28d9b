package s3test

import (
	"net/http/httptest"
	"testing"

	"github.com/rclone/gofakes3"
	"github.com/rclone/gofakes3/s3mem"
)

// StartMemory starts the S3 server that the demo runs inside its process, with the
// buckets. It keeps objects in memory, has only the root user and knows no bucket
// policies.
func StartMemory(tb testing.TB, buckets ...string) *Server {
	tb.Helper()
	users := gofakes3.WithV4Auth(map[string]string{RootKey: RootSecret})
	server := httptest.NewServer(gofakes3.New(s3mem.New(), users).Server())
	tb.Cleanup(server.Close)
	s := newServer("in-process", "http", server.Listener.Addr().String(), Region, nil)
	s.CreateBuckets(tb, buckets...)
	return s
}
