package signer

import (
	"errors"
	"strings"
	"testing"
	"time"
)

// TestRequestBounds signs what is just allowed and refuses what is just not.
func TestRequestBounds(t *testing.T) {
	s := newSigner(t, nil)
	for name, tt := range map[string]struct {
		change func(*Request)
		want   error
	}{
		"the longest key":           {func(r *Request) { r.Key = strings.Repeat("k", 1024) }, nil},
		"a longer key":              {func(r *Request) { r.Key = strings.Repeat("k", 1025) }, ErrRequest},
		"a key that begins by NUL":  {func(r *Request) { r.Key = "\x00a" }, ErrRequest},
		"the longest lifetime":      {func(r *Request) { r.Lifetime = 7*24*time.Hour - 5*time.Second }, nil},
		"a longer lifetime":         {func(r *Request) { r.Lifetime = 7*24*time.Hour - 5*time.Second + 1 }, ErrRequest},
		"the shortest lifetime":     {func(r *Request) { r.Lifetime = time.Second }, nil},
		"a shorter lifetime":        {func(r *Request) { r.Lifetime = time.Second - 1 }, ErrLifetime},
		"a second within the link":  {func(r *Request) { r.Within = time.Second }, nil},
		"less than a second within": {func(r *Request) { r.Within = time.Second - 1 }, ErrLifetime},
	} {
		r := report()
		tt.change(&r)
		if _, err := s.Presign(t.Context(), r); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", name, err, tt.want)
		}
	}
}
