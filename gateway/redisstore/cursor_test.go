package redisstore_test

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"testing"

	"keyhole/gateway"
)

// TestSealedCursors searches the cursors of two gateways for data that the caller may not
// see, and damages every byte of one.
func TestSealedCursors(t *testing.T) {
	g := startSingle(t)
	prefix := newPrefix()
	one, two := open(t, g.client, withPrefix(prefix)), open(t, g.client, withPrefix(prefix))
	const secret = "secret-project/plan"
	lengths := map[int]bool{}
	for i := range 12 {
		link := newLink(t)
		link.Ref.Key = fmt.Sprintf("%s-%02d%s", secret, i, strings.Repeat("x", i))
		create(t, one, link)
	}
	for name, q := range map[string]gateway.ListQuery{
		"by key":       {Bucket: "reports", Prefix: "secret", Limit: 1},
		"newest first": {Limit: 1},
	} {
		seen := 0
		for {
			page, err := two.List(t.Context(), q)
			if err != nil {
				t.Fatalf("%s: list by the other gateway: %v", name, err)
			}
			seen += len(page.Links)
			if page.Next == "" {
				break
			}
			raw, err := base64.RawURLEncoding.DecodeString(page.Next)
			if err != nil {
				t.Fatalf("%s: a cursor that is not base64url: %v", name, err)
			}
			lengths[len(raw)] = true
			id := page.Links[len(page.Links)-1].ID
			for _, part := range []string{"secret", "plan", "reports", string(id[:])} {
				if strings.Contains(page.Next, part) || bytes.Contains(raw, []byte(part)) {
					t.Errorf("%s: %q is in the cursor", name, part)
				}
			}
			q.Cursor = page.Next
			one, two = two, one
		}
		equal(t, name, seen, 12)
		again := q
		again.Cursor = ""
		page, err := one.List(t.Context(), again)
		if err != nil {
			t.Fatalf("%s: list: %v", name, err)
		}
		raw, err := base64.RawURLEncoding.DecodeString(page.Next)
		if err != nil {
			t.Fatalf("%s: decode: %v", name, err)
		}
		for i := range raw {
			damaged := bytes.Clone(raw)
			damaged[i] ^= 0x10
			again.Cursor = base64.RawURLEncoding.EncodeToString(damaged)
			if _, err := one.List(t.Context(), again); !errors.Is(err, gateway.ErrCursor) {
				t.Errorf("%s: byte %d changed: %v, want ErrCursor", name, i, err)
			}
		}
		again.Cursor, again.CreatedBy = page.Next, "alice"
		if _, err := one.List(t.Context(), again); !errors.Is(err, gateway.ErrCursor) {
			t.Errorf("%s: another filter: %v, want ErrCursor", name, err)
		}
		other := open(t, g.client)
		again.CreatedBy = ""
		if _, err := other.List(t.Context(), again); !errors.Is(err, gateway.ErrCursor) {
			t.Errorf("%s: of another service: %v, want ErrCursor", name, err)
		}
	}
	// Positions of the caller's own listings.
	sealed, err := one.SealCursor(t.Context(), "query", secret)
	if err != nil || strings.Contains(sealed, "secret") {
		t.Fatalf("seal: %q, %v", sealed, err)
	}
	if position, err := two.OpenCursor(t.Context(), "query", sealed); err != nil || position != secret {
		t.Errorf("opened by the other gateway: %q, %v", position, err)
	}
	for _, forged := range [][2]string{{"another", sealed}, {"query", sealed + "A"}, {"query", ""}, {"query", secret}} {
		if position, err := two.OpenCursor(t.Context(), forged[0], forged[1]); !errors.Is(err, gateway.ErrCursor) {
			t.Errorf("%q: opened as %q, %v", forged, position, err)
		}
	}
	if len(lengths) > 2 {
		t.Errorf("cursors of %d lengths tell those of keys", len(lengths))
	}
}
