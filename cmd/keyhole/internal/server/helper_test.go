package server

import (
	"io"
	"net/http"
	"testing"
	"time"

	"keyhole/cmd/keyhole/internal/command"
	"keyhole/cmd/keyhole/internal/inprocess"
	"keyhole/cmd/keyhole/internal/operatorkey"
	"keyhole/config"
	"keyhole/gateway/client"
)

// testConfig returns the configuration of a server over an in-process Redis and S3
// server, and the operator key that it admits. The bucket reports has the object a.txt.
// A busy machine cannot make Redis or the storage late: both time limits are 30 s.
func testConfig(t *testing.T) (cfg *config.Config, key string) {
	t.Helper()
	redis, err := inprocess.StartRedis()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(redis.Close)
	s3, err := inprocess.StartS3(t.Context(), "127.0.0.1:0", []string{"reports"}, []inprocess.Object{
		{Bucket: "reports", Key: "a.txt", Content: []byte("content"), Modified: time.Unix(1e9, 0)},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s3.Close() }) // nothing is written to it
	cfg, key = config.Default(), operatorkey.New()
	cfg.Public.Listen, cfg.Operator.Listen, cfg.Public.URL = "127.0.0.1:0", "127.0.0.1:0", "http://127.0.0.1"
	cfg.Operator.Keys = []config.OperatorKey{testKey("ops", key)}
	cfg.Pages.Organization = "Example Ltd"
	cfg.Redis.Addresses, cfg.Redis.Timeout = []string{redis.Addr()}, 30*time.Second
	storage := config.DefaultStorage()
	storage.Name, storage.Endpoint, storage.PathStyle, storage.Buckets = "main", "http://"+s3.Address, true,
		[]string{"reports"}
	storage.Timeout = 30 * time.Second
	storage.AccessKeyID, storage.SecretAccessKey = s3.AccessKey, config.NewSecret(s3.Secret)
	cfg.Storage = []config.Storage{storage}
	if _, err := cfg.Prepare(); err != nil {
		t.Fatal(err)
	}
	return cfg, key
}

// testKey returns the configuration of an operator key that may do everything.
func testKey(name, secret string) config.OperatorKey {
	key := config.DefaultOperatorKey()
	key.Name, key.SHA256, key.Can = name, operatorkey.Hash(secret), []string{"issue", "read", "revoke", "browse"}
	return key
}

// startServer starts a server in this process, which writes its log to out. The server
// stops with the test.
func startServer(t *testing.T, cfg *config.Config, out io.Writer) *Server {
	t.Helper()
	s := New(cfg, NewLog(config.Log{Level: "info", Format: "text"}, out), command.Build{Version: "test"})
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// operator returns a client of a server's operator API.
func operator(t *testing.T, s *Server, key string) *client.Client {
	t.Helper()
	c, err := client.New("http://"+s.OperatorAddr(), key)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// answer is the answer to a request, before any redirect is followed.
type answer struct {
	status int
	header http.Header
	body   string
}

// get sends a GET on a connection of its own.
func get(t *testing.T, url string) answer {
	t.Helper()
	transport := &http.Transport{DisableKeepAlives: true}
	response, err := transport.RoundTrip(mustRequest(t, url))
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{response.StatusCode, response.Header, string(body)}
}

// mustRequest returns a GET that ends with the test.
func mustRequest(t *testing.T, url string) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	return r
}
