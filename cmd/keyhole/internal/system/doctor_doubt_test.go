//go:build system

package system

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"keyhole/cmd/keyhole/internal/command"
	"keyhole/gateway/objects/s3test"
)

// A storage that refuses everything alike leaves the doctor in doubt, and it says
// so instead of calling a refusal good.
func TestDoctorInDoubt(t *testing.T) {
	closed := handler(t, func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusForbidden)
		if r.Method == http.MethodGet {
			_, _ = io.WriteString(w, "<Error><Code>AccessDenied</Code></Error>") // the doctor may have hung up
		}
	})
	code, findings, printed := doctor(t, at(closed, "buckets: [reports]"+as(t, s3test.RootKey, s3test.RootSecret)))
	if code != command.ExitOK || !warns(findings, "list") || !warns(findings, "delivery") ||
		!warns(findings, "signature") || strings.Contains(printed, "expiry") {
		t.Errorf("exit %d: %s", code, printed)
	}
}

// A clock that is off by minutes is found, and nothing else fails for it.
func TestDoctorFindsClock(t *testing.T) {
	t.Parallel()
	server := s3test.StartRGWWith(t, s3test.RGWOptions{Buckets: []string{"reports"}, ClockOff: -20 * time.Minute})
	server.Put(t, "reports", "q3.csv", "text/csv", []byte("a,b\n"))
	storage := at(server.Endpoint(), "buckets: [reports]"+as(t, s3test.RootKey, s3test.RootSecret))
	code, findings, printed := doctor(t, storage)
	if code != command.ExitOK {
		t.Errorf("exit %d: %s", code, printed)
	}
	for _, f := range findings {
		if off := f.Check == "clock"; (f.Level == "warning") != off || off && !strings.Contains(f.Message, "20m behind") {
			t.Errorf("found %+v", f)
		}
	}
}
