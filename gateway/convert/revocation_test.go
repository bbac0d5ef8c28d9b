package convert

import (
	"encoding/json"
	"testing"

	"keyhole/gateway"
)

// A run that is not finished has its cursor, and a finished one has no field that is empty.
func TestRevocation(t *testing.T) {
	t.Parallel()
	for want, result := range map[string]gateway.BulkResult{
		`{"matched":3,"revoked":2,"unreadable":1,"done":false,"next":"c"}`: {
			Matched: 3, Revoked: 2, Unreadable: 1, Next: "c",
		},
		`{"matched":3,"revoked":3,"done":true}`: {Matched: 3, Revoked: 3, Done: true},
	} {
		got, err := json.Marshal(Revocation(&result))
		if err != nil || string(got) != want {
			t.Errorf("got %s, %v, want %s", got, err, want)
		}
	}
}
