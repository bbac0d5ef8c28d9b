package gateway

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestRestrictionBounds takes restrictions that are just allowed and names those that
// are just not.
func TestRestrictionBounds(t *testing.T) {
	t.Parallel()
	networks := func(n int) (all []string) {
		for i := range n {
			all = append(all, fmt.Sprintf("10.%d.%d.0/24", i/256, i%256))
		}
		return all
	}
	for name, tt := range map[string]struct {
		req  IssueRequest
		want []string // field and code of each error
	}{
		"nothing":                {IssueRequest{}, nil},
		"the longest passphrase": {IssueRequest{Passphrase: new(strings.Repeat("x", maxPassphrase))}, nil},
		"a longer passphrase": {
			IssueRequest{Passphrase: new(strings.Repeat("x", maxPassphrase+1))}, []string{"passphrase invalid"},
		},
		"an empty passphrase":      {IssueRequest{Passphrase: new("")}, []string{"passphrase invalid"}},
		"the most networks":        {IssueRequest{Allow: networks(maxAllow)}, nil},
		"more networks":            {IssueRequest{Allow: networks(maxAllow + 1)}, []string{"allow too_many"}},
		"no network":               {IssueRequest{Allow: []string{}}, []string{"allow empty"}},
		"the first year":           {IssueRequest{NotBefore: new("1970-01-01T00:00:00Z")}, nil},
		"the year before":          {IssueRequest{NotBefore: new("1969-12-31T23:59:59Z")}, []string{"not_before invalid"}},
		"the last year":            {IssueRequest{NotBefore: new("9999-12-31T23:59:59Z")}, nil},
		"no time":                  {IssueRequest{NotBefore: new("tomorrow")}, []string{"not_before invalid"}},
		"one click":                {IssueRequest{MaxClicks: new(int64(1))}, nil},
		"no click":                 {IssueRequest{MaxClicks: new(int64(0))}, []string{"max_clicks invalid"}},
		"the most clicks":          {IssueRequest{MaxClicks: new(int64(maxClicks))}, nil},
		"more clicks":              {IssueRequest{MaxClicks: new(int64(maxClicks + 1))}, []string{"max_clicks invalid"}},
		"reveal of a plain link":   {IssueRequest{Reveal: RevealBefore}, nil},
		"reveal after nothing":     {IssueRequest{Reveal: RevealAfter}, []string{"reveal conflict"}},
		"reveal after":             {IssueRequest{Passphrase: new("x"), Reveal: RevealAfter}, nil},
		"reveal at another moment": {IssueRequest{Reveal: "never"}, []string{"reveal invalid"}},
	} {
		_, found := readRestrictions(&tt.req)
		var got []string
		for _, f := range found {
			got = append(got, f.Field+" "+f.Code)
		}
		if !slices.Equal(got, tt.want) {
			t.Errorf("%s: %q, want %q", name, got, tt.want)
		}
	}
}

// TestRestrictionsThatAreRead reads networks without their host bits and once each, and
// a start that begins with the next millisecond.
func TestRestrictionsThatAreRead(t *testing.T) {
	t.Parallel()
	r, found := readRestrictions(&IssueRequest{
		Allow:     []string{"192.0.2.7/24", "192.0.2.0/24", "::ffff:198.51.100.0/120", "2001:db8::1", "::ffff:0.0.0.0/96"},
		NotBefore: new("2026-11-25T08:00:00.0000001+02:00"),
	})
	want := "[192.0.2.0/24 198.51.100.0/24 2001:db8::1/128 0.0.0.0/0]"
	if len(found) != 0 || fmt.Sprint(r.allow) != want {
		t.Errorf("got %v, %v; want %s", r.allow, found, want)
	}
	if start := time.Date(2026, 11, 25, 6, 0, 0, 1e6, time.UTC); r.notBefore != start {
		t.Errorf("it starts at %v, want %v", r.notBefore, start)
	}
	whole := time.Date(2026, 11, 25, 8, 0, 0, 1e6, time.UTC)
	r, _ = readRestrictions(&IssueRequest{NotBefore: new("2026-11-25T08:00:00.001Z")})
	if r.notBefore != whole {
		t.Errorf("it starts at %v, want %v", r.notBefore, whole)
	}
	for _, text := range []string{"::ffff:1.2.3.4/95", "fe80::1%eth0", "192.0.2.0/33", "192.0.2", ""} {
		if prefix, err := ParsePrefix(text); err == nil {
			t.Errorf("%q is taken for %v", text, prefix)
		}
	}
}
