package gateway

import (
	"errors"
	"strings"
	"testing"
	"time"
)

// The first refusal of an object that is sensitive by policy has its limit, if the requested
// life is too long for it: otherwise the next request would be refused too.
func TestSensitiveByPolicy(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	policy := Policy{
		MaxExpiry: 7 * day, Caps: Caps{Sensitive: day, NotStated: day, NotSensitive: 7 * day},
		SensitiveObjects: []Pattern{"*/invoices/*"},
	}
	for name, tt := range map[string]struct {
		max       time.Duration // of the key
		expiresIn string
		sensitive *bool
		want      string
	}{
		"not stated":     {0, "3d", nil, "3d is over the limit of 24h (sensitive by policy)"},
		"stated":         {0, "3d", new(true), "3d is over the limit of 24h (the object is sensitive)"},
		"called not":     {0, "3d", new(false), `sensitive by policy: at most 24h; remove "sensitive": false, and request`},
		"over the key":   {time.Hour, "2h", new(false), `sensitive by policy: at most 1h; remove "sensitive": false, and`},
		"not too long":   {0, "1h", new(false), `the policy marks this object as sensitive; remove "sensitive": false`},
		"without a life": {0, "", new(false), `the policy marks this object as sensitive; remove "sensitive": false`},
	} {
		request := IssueRequest{ExpiresIn: tt.expiresIn, Sensitive: tt.sensitive}
		_, err := policy.Decide(&Actor{MaxExpiry: tt.max}, ObjectRef{"main", "reports", "invoices/1"}, &request)
		var refused *Error
		if !errors.As(err, &refused) || !strings.Contains(refused.Fields[0].Message, tt.want) {
			t.Errorf("%s: %+v, want %q", name, refused, tt.want)
		}
	}
}
