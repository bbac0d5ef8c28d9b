//go:build system

package system

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"keyhole/gateway/api"
)

// A storage that is down, slow or refuses: clicks that need its check get 503 within its
// timeout, and never a redirect. Links without a pin go on. The service stays ready, and
// the readiness and the metrics name the storage.
func TestStorageAway(t *testing.T) {
	t.Parallel()
	in := install(t)
	in.put(t, "file.txt", []byte("content"))
	front, behind := startFront(t, in.s3)
	in.s3 = behind
	const timeout = 500 * time.Millisecond
	g := in.start("KEYHOLE_REDIRECT_OBJECT_CHECK=0s", "KEYHOLE_STORAGE_MAIN_TIMEOUT="+timeout.String())
	patient := in.start()
	pinned := strings.Replace(issue(t, patient, api.IssueRequest{}).URL, patient.public, g.public, 1)
	unpinned := issue(t, g, api.IssueRequest{Pin: "none"})
	for _, tt := range []struct {
		name   string
		result string // of the metric
		serve  func(http.ResponseWriter, *http.Request) bool
	}{
		{"down", "error", func(http.ResponseWriter, *http.Request) bool { panic(http.ErrAbortHandler) }},
		{"slow", "timeout", func(_ http.ResponseWriter, r *http.Request) bool {
			<-r.Context().Done() // until the gateway gives up
			return true
		}},
		{"403", "denied", func(w http.ResponseWriter, _ *http.Request) bool {
			w.WriteHeader(http.StatusForbidden)
			return true
		}},
		{"500", "error", func(w http.ResponseWriter, _ *http.Request) bool {
			w.WriteHeader(http.StatusInternalServerError)
			return true
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			front.answerWith(tt.serve)
			defer front.answerWith(nil)
			m := measure(t, pinned, 32, 2*time.Second)
			t.Log(m)
			if m.redirects > 0 || m.refused == 0 || m.exceeds(timeout+unavailableWithin) {
				t.Errorf("beyond the bound: %v", m)
			}
			if a := get(t, http.MethodGet, unpinned.URL); a.status != http.StatusFound {
				t.Errorf("a link without a pin: %d", a.status)
			}
			ready, err := g.client.Ready(t.Context())
			if err != nil || !ready.Ready || ready.Storages["main"] == "ok" {
				t.Errorf("readiness: %+v, %v", ready, err)
			}
			series := `keyhole_storage_request_duration_seconds_count{operation="head_object",result="` + tt.result +
				`",storage="main"}`
			eventually(t, "a click to be counted so", func() error { // A stall may have made each a timeout.
				get(t, http.MethodGet, pinned)
				if failed, err := g.gauge(t, series); err != nil || failed == 0 {
					return fmt.Errorf("%s: %v, %w", series, failed, err)
				}
				return nil
			})
		})
		wantClick(t, pinned, http.StatusFound)
	}
}
