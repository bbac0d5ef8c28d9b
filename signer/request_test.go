package signer

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
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

// TestSigningKeyOfADay signs at several times of two days: the key is derived once a day,
// and again for another credential.
func TestSigningKeyOfADay(t *testing.T) {
	target := newTarget(bucketEndpoint{scheme: "https", host: "storage.example", path: "/", region: "us-east-1"}, false)
	credentials := aws.Credentials{AccessKeyID: exampleID, SecretAccessKey: "one"}
	r := report()
	keys := map[*signingKey][]string{}
	sign := func(at time.Time) {
		target.sign(&credentials, &r, at, time.Minute)
		key := target.key.Load()
		keys[key] = append(keys[key], at.Format(time.DateTime))
		if want := at.Format("20060102"); key.date != want || key.day != at.Truncate(24*time.Hour).Unix() {
			t.Errorf("at %v the key is of %s, %d", at, key.date, key.day)
		}
	}
	for _, clock := range []string{"00:00:00", "00:00:59", "00:59:00", "11:22:33", "23:59:59"} {
		at, err := time.Parse(time.DateTime, "2026-11-25 "+clock)
		if err != nil {
			t.Fatal(err)
		}
		sign(at)
	}
	sign(time.Date(2026, 11, 26, 0, 0, 0, 0, time.UTC))
	credentials.SecretAccessKey = "two"
	sign(time.Date(2026, 11, 26, 0, 0, 1, 0, time.UTC))
	if len(keys) != 3 {
		t.Errorf("%d keys, want one for each day and credential: %v", len(keys), keys)
	}
}
