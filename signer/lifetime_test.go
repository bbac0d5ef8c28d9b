package signer

import (
	"context"
	"errors"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// TestPresignLifetime states how long a URL lives: by the request, by the
// credential, whichever ends first, in whole seconds.
func TestPresignLifetime(t *testing.T) {
	const second = time.Second
	for _, c := range []struct {
		name       string
		asked      time.Duration
		credential time.Duration // left of it; 0 for one that does not expire
		want       time.Duration
		err        error
	}{
		{"one second", second, 0, second, nil},
		{"fractions are cut", 2*second - 1, 0, second, nil},
		{"the longest", maxExpires - backdate, 0, maxExpires - backdate, nil},
		{"the credential lives longer", 30 * second, time.Hour, 30 * second, nil},
		{"the credential lives as long", 30 * second, 30 * second, 30 * second, nil},
		{"the credential lives less", 30 * second, 10 * second, 10 * second, nil},
		{"the credential's fractions are cut", 30 * second, 10*second - 1, 9 * second, nil},
		{"the credential's last second", 30 * second, second, second, nil},
		{"less than its last second", 30 * second, second - 1, 0, ErrCredentials},
		{"expired this moment", 30 * second, 1, 0, ErrCredentials},
		{"expired", 30 * second, -time.Hour, 0, ErrCredentials},
		{"both too short", second / 2, -time.Hour, 0, ErrLifetime},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newSigner(t, func(o *Options) {
				o.Credentials = provide(aws.Credentials{
					AccessKeyID: exampleID, SecretAccessKey: exampleSecret,
					CanExpire: c.credential != 0, Expires: noon().Add(c.credential),
				})
			})
			r := report()
			r.Lifetime = c.asked
			signed, err := s.Presign(t.Context(), r)
			if !errors.Is(err, c.err) || signed.Lifetime != c.want {
				t.Fatalf("got %v, %v; want %v, %v", signed.Lifetime, err, c.want, c.err)
			}
			if c.err != nil {
				return
			}
			u, err := url.Parse(signed.URL)
			if err != nil {
				t.Fatal(err)
			}
			expires := strconv.Itoa(int((c.want + backdate) / second))
			if got := u.Query().Get("X-Amz-Expires"); got != expires {
				t.Errorf("X-Amz-Expires is %s, want %s: the lifetime and the 5 s it is dated back", got, expires)
			}
		})
	}
}

// TestPresignWithin shows that a URL is dead when its link is, however long the
// credential was waited for.
func TestPresignWithin(t *testing.T) {
	const second = time.Second
	for _, c := range []struct {
		name         string
		within, wait time.Duration
		want         time.Duration
		err          error
	}{
		{"no end", 0, 40 * second, 30 * second, nil},
		{"an end after the URL's", time.Hour, 0, 30 * second, nil},
		{"an end before the URL's", 10 * second, 0, 10 * second, nil},
		{"after a wait", 10 * second, 4 * second, 6 * second, nil},
		{"a wait of a fraction", 10 * second, second / 4, 9 * second, nil},
		{"a wait that leaves a second", 10 * second, 9 * second, second, nil},
		{"a wait that leaves less", 10 * second, 9*second + 1, 0, ErrLifetime},
		{"a wait beyond the end", 10 * second, time.Minute, 0, ErrLifetime},
		{"under a second from the start", second - 1, 0, 0, ErrLifetime},
		{"over from the start", -second, 0, 0, ErrLifetime},
	} {
		t.Run(c.name, func(t *testing.T) {
			machine := &handClock{at: noon()}
			s := newSigner(t, func(o *Options) {
				o.Clock = NewClock(machine.now)
				o.Credentials = aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
					machine.move(c.wait)
					return aws.Credentials{AccessKeyID: exampleID, SecretAccessKey: exampleSecret}, nil
				})
			})
			r := report()
			r.Lifetime, r.Within = 30*second, c.within
			signed, err := s.Presign(t.Context(), r)
			if !errors.Is(err, c.err) || c.err == nil && err != nil || signed.Lifetime != c.want {
				t.Fatalf("got %v, %v; want %v, %v", signed.Lifetime, err, c.want, c.err)
			}
		})
	}
}

// TestPresignStorageClock shows that both the date and the credential's life
// go by the storage's clock.
func TestPresignStorageClock(t *testing.T) {
	for _, skew := range []time.Duration{0, 30 * time.Second, -30 * time.Second, 16 * time.Minute, time.Hour, -time.Hour} {
		clock := NewClock(noon)
		storage := noon().Add(skew)
		clock.Observe(storage, noon().Add(time.Second/2), noon().Add(time.Second/2))
		s := newSigner(t, func(o *Options) {
			o.Clock = clock
			o.Credentials = provide(aws.Credentials{
				AccessKeyID: exampleID, SecretAccessKey: exampleSecret,
				CanExpire: true, Expires: storage.Add(12 * time.Second),
			})
		})
		signed, query := presign(t, s, report())
		if want := storage.Add(-backdate).Format("20060102T150405Z"); query.Get("X-Amz-Date") != want {
			t.Errorf("skew %v: dated %s, want %s", skew, query.Get("X-Amz-Date"), want)
		}
		if signed.Lifetime != 12*time.Second {
			t.Errorf("skew %v: lives %v, want what is left of the credential, 12s", skew, signed.Lifetime)
		}
	}
}

// TestPresignNeverOutlives walks through the fractions of a second, where a
// rounding the wrong way would show.
func TestPresignNeverOutlives(t *testing.T) {
	machine := &handClock{at: noon()}
	expires := noon().Add(9*time.Second + 300*time.Millisecond)
	s := newSigner(t, func(o *Options) {
		o.Clock = NewClock(machine.now)
		o.Credentials = provide(aws.Credentials{
			AccessKeyID: exampleID, SecretAccessKey: exampleSecret, CanExpire: true, Expires: expires,
		})
	})
	for range 80 {
		_, query := presign(t, s, report())
		dated, err := time.Parse("20060102T150405Z", query.Get("X-Amz-Date"))
		if err != nil {
			t.Fatal(err)
		}
		seconds, err := strconv.Atoi(query.Get("X-Amz-Expires"))
		if err != nil {
			t.Fatal(err)
		}
		if end := dated.Add(time.Duration(seconds) * time.Second); end.After(expires) {
			t.Fatalf("signed at %v the URL ends at %v, after the credential's %v", machine.now(), end, expires)
		}
		machine.move(100 * time.Millisecond)
	}
}

// TestPresignDay crosses midnight, where the derived key changes, in both
// directions; the five seconds count to the day before.
func TestPresignDay(t *testing.T) {
	machine := &handClock{}
	s := newSigner(t, func(o *Options) { o.Clock = NewClock(machine.now) })
	for _, c := range []struct{ at, day, date string }{
		{"2026-03-01T23:59:59Z", "20260301", "20260301T235954Z"},
		{"2026-03-02T00:00:04Z", "20260301", "20260301T235959Z"},
		{"2026-03-02T00:00:05Z", "20260302", "20260302T000000Z"},
		{"2026-03-02T00:00:04.999Z", "20260301", "20260301T235959Z"},
		{"2026-03-02T01:00:05+02:00", "20260301", "20260301T230000Z"},
		{"2028-02-29T12:00:00Z", "20280229", "20280229T115955Z"},
	} {
		at, err := time.Parse(time.RFC3339, c.at)
		if err != nil {
			t.Fatal(err)
		}
		machine.at = at
		signed, query := presign(t, s, report())
		if query.Get("X-Amz-Date") != c.date || !strings.Contains(query.Get("X-Amz-Credential"), "/"+c.day+"/") {
			t.Errorf("at %s: dated %s under %s", c.at, query.Get("X-Amz-Date"), query.Get("X-Amz-Credential"))
		}
		// A signer without a past agrees.
		other, _ := presign(t, newSigner(t, func(o *Options) { o.Clock = NewClock(machine.now) }), report())
		if signed.URL != other.URL {
			t.Errorf("at %s: a signer with a past signs otherwise:\n%s\n%s", c.at, signed.URL, other.URL)
		}
	}
}
