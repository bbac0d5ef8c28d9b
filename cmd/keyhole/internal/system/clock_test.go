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
			// Each answer of the storage is a new measurement of its clock. A stall during one makes it
			// inexact, and none stays inexact.
			var link api.Link
			eventually(t, "the issue to warn of the exact skew", func() error {
				link = issue(t, g, api.IssueRequest{})
				if !slices.ContainsFunc(link.Warnings, func(w api.Warning) bool {
					return w.Code == "storage_clock_skew" && strings.Contains(w.Message, "off by "+off.String())
				}) {
					return fmt.Errorf("it warns of %+v", link.Warnings)
				}
				return nil
			})
			if got := fetched(t, link.URL); got != "content" {
				t.Errorf("got %q", got)
			}
			eventually(t, "the time of the signature to be 5 s back by the storage's clock", func() error {
				signed := get(t, http.MethodGet, link.URL).location
				_, date, _ := strings.Cut(signed, "X-Amz-Date=")
				at, err := time.Parse("20060102T150405Z", date[:min(len(date), 16)])
				if early := off - time.Until(at); err != nil || (early-5*time.Second).Abs() > 2*time.Second {
					return fmt.Errorf("signed at %v (%w), %v back", at, err, early)
				}
				return nil
			})
			eventually(t, "the gauge to be within a second of the skew", func() error {
				get(t, http.MethodGet, link.URL) // The storage is asked and answers with its time.
				skew, err := g.gauge(t, `keyhole_storage_clock_skew_seconds{storage="main"}`)
				if err == nil && (skew-off.Seconds() < -1 || skew-off.Seconds() > 1) {
					err = fmt.Errorf("it is %v, not %v", skew, off.Seconds())
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
