package server

import (
	"bytes"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"keyhole/config"
	"keyhole/gateway"
)

// TestStorageTroubleIsLoggedOnce checks a storage that denies a bucket, does not answer
// and is in order again: the log has each change, and no repetition.
func TestStorageTroubleIsLoggedOnce(t *testing.T) {
	t.Parallel()
	var status atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(int(status.Load()))
	}))
	t.Cleanup(server.Close)
	metrics := gateway.NewMetrics(prometheus.NewRegistry(), gateway.MetricsOptions{Storages: []string{"main"}})
	s, err := OpenStorage(t.Context(), &config.Storage{
		Name: "main", Endpoint: server.URL, Region: "us-east-1", PathStyle: true, Buckets: []string{"reports"},
		AccessKeyID: "id", SecretAccessKey: config.NewSecret("secret"), Timeout: 5 * time.Second,
	}, metrics)
	if err != nil {
		t.Fatal(err)
	}
	var text bytes.Buffer
	log := slog.New(slog.NewTextHandler(&text, nil))
	var said []string
	for _, code := range []int{200, 403, 403, 403, 503, 503, 403, 200, 200} {
		status.Store(int64(code))
		text.Reset()
		s.check(t.Context(), log)
		if text.Len() > 0 {
			level, rest, _ := strings.Cut(text.String()[strings.Index(text.String(), "level="):], " ")
			_, health, _ := strings.Cut(rest, "health=")
			health, _, _ = strings.Cut(strings.TrimSpace(health), " ")
			said = append(said, fmt.Sprint(code, " ", level, " ", health))
		}
	}
	want := "403 level=WARN denied, 503 level=WARN unavailable, 403 level=WARN denied, 200 level=INFO ok"
	if got := strings.Join(said, ", "); got != want {
		t.Errorf("the log says %s\nwant %s", got, want)
	}
}
