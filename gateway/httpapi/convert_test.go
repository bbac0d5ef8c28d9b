package httpapi

import (
	"testing"
	"time"

	"keyhole/gateway"
)

// A link that nobody has used has no time of its last use.
func TestLastUseInJSON(t *testing.T) {
	t.Parallel()
	used := time.Date(2026, 11, 2, 3, 4, 5, 6e6, time.FixedZone("", 3600))
	got := linkJSON(&gateway.Link{LastUsedAt: used}).LastUsedAt
	if got == nil || !got.Equal(used) || got.Location() != time.UTC {
		t.Errorf("got %v, want %v in UTC", got, used)
	}
	if got := linkJSON(&gateway.Link{}).LastUsedAt; got != nil {
		t.Errorf("an unused link was used at %v", got)
	}
}
