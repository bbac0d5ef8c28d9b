//go:build system

package system

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"keyhole/gateway/api"
	"keyhole/gateway/objects/s3test"
)

// TestClockOfTheStorage runs a gateway over a storage whose clock is 20 minutes
// off, which refuses every signature that is off by 15: as if this machine's
// clock were wrong.
func TestClockOfTheStorage(t *testing.T) {
	t.Parallel()
	for _, off := range []time.Duration{20 * time.Minute, -20 * time.Minute} {
		t.Run(off.String(), func(t *testing.T) {
			in := installOver(t,
				s3test.StartRGWWith(t, s3test.RGWOptions{Buckets: []string{"reports", "exports"}, ClockOff: off}))
			in.put(t, "file.txt", []byte("content"))
			g := in.launch("KEYHOLE_REDIRECT_OBJECT_CHECK=0s")
			g.waitReady(t)
			link, err := g.client.Issue(t.Context(), api.IssueRequest{Bucket: "reports", Key: "file.txt"})
			if err != nil {
				t.Fatal(err)
			}
			if !slices.ContainsFunc(link.Warnings, func(w api.Warning) bool {
				return w.Code == "storage_clock_skew" && strings.Contains(w.Message, "off by "+off.String())
			}) {
				t.Errorf("the issue warns of %+v", link.Warnings)
			}
			if got := fetched(t, link.URL); got != "content" {
				t.Errorf("got %q", got)
			}
			signed := get(t, http.MethodGet, link.URL).location
			_, date, _ := strings.Cut(signed, "X-Amz-Date=")
			at, err := time.Parse("20060102T150405Z", date[:min(len(date), 16)])
			if err != nil || (time.Until(at)-off+5*time.Second).Abs() > 2*time.Second {
				t.Errorf("signed at %v (%v), which is not %v off and 5 s back", at, err, off)
			}
			eventually(t, "the gauge to be within a second of the skew", func() error {
				skew, err := g.gauge(t, `keyhole_storage_clock_skew_seconds{storage="main"}`)
				if err == nil && (skew-off.Seconds() < -1 || skew-off.Seconds() > 1) {
					err = fatal{fmt.Errorf("it is %v, not %v", skew, off.Seconds())}
				}
				return err
			})
		})
	}
}

// gauge returns the value of one series of the metrics.
func (g *instance) gauge(t *testing.T, series string) (float64, error) {
	t.Helper()
	for line := range strings.Lines(get(t, http.MethodGet, g.operator+"/metrics").body) {
		if value, ok := strings.CutPrefix(line, series+" "); ok {
			return strconv.ParseFloat(strings.TrimSpace(value), 64)
		}
	}
	return 0, fmt.Errorf("there is no %s", series)
}
