package client

import (
	"net/http"
	"testing"
	"time"
)

func TestRetryAfter(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	for _, tt := range []struct {
		value, date string
		want        time.Duration
	}{
		{"", "", 0},
		{"0", "", 0},
		{"30", "", 30 * time.Second},
		{"-1", "", 0},
		{"1.5", "", 0},
		{"soon", "", 0},
		{"99999999999999999999999", "", 24 * time.Hour},
		{"9223372036854775807", "", 24 * time.Hour},
		{"Sun, 01 Nov 2026 12:00:30 GMT", "", 30 * time.Second},
		{"Sun, 01 Nov 2026 11:00:00 GMT", "", 0},
		{"Mon, 01 Nov 2066 12:00:00 GMT", "", 24 * time.Hour},
		{"Sun, 01 Nov 2026 10:00:30 GMT", "Sun, 01 Nov 2026 10:00:00 GMT", 30 * time.Second},
	} {
		h := http.Header{"Retry-After": {tt.value}, "Date": {tt.date}}
		if got := retryAfter(h, now); got != tt.want {
			t.Errorf("%q, Date %q: got %v, want %v", tt.value, tt.date, got, tt.want)
		}
	}
}
