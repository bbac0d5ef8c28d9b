package httpapi

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"keyhole/gateway"
	"keyhole/gateway/storetest"
)

// probing returns a bench that answers probes, and its store. 192.0.2.1, from which the
// requests of tests come, is a trusted proxy if trusted is set.
func probing(t *testing.T, trusted bool) (*bench, gateway.Cursors) {
	t.Helper()
	store := storetest.Open(t)
	return newBenchOver(t, store, func(o *Options) {
		o.Cursors = store
		if trusted {
			o.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("192.0.2.1/32")}
		}
	}), store
}

// sealProbe returns the header of a probe.
func sealProbe(t *testing.T, cursors gateway.Cursors, p Probe) string {
	t.Helper()
	sent, err := SealProbe(t.Context(), cursors, p)
	if err != nil {
		t.Fatal(err)
	}
	return sent
}

// A probe gets the answer to an unknown path, with what the service saw for its sender only.
func TestProbe(t *testing.T) {
	t.Parallel()
	for _, trusted := range []bool{false, true} {
		b, store := probing(t, trusted)
		unknown := ask(b.api.Public(), "GET", "/nothing", "")
		for _, method := range []string{http.MethodGet, http.MethodHead} {
			sent := sealProbe(t, store, Probe{At: time.Now()})
			a := ask(b.api.Public(), method, "/keyhole-doctor", "", ProbeHeader, sent,
				"X-Forwarded-For", "198.51.100.7, 10.0.0.1", "X-Forwarded-For", "10.0.0.2")
			got, err := OpenProbed(t.Context(), store, sent, a.header.Get(ProbeHeader))
			if err != nil || got != (Probed{
				Method: method, Peer: "192.0.2.1:1234", Forwarded: "198.51.100.7, 10.0.0.1,10.0.0.2", Trusted: trusted,
			}) {
				t.Errorf("%s: %+v, %v", method, got, err)
			}
			a.header.Del(ProbeHeader)
			if a.status != unknown.status || method == http.MethodGet && a.body != unknown.body {
				t.Errorf("%s: %d %q, want the answer to an unknown path", method, a.status, a.body)
			}
			for name := range unknown.header {
				if a.header.Get(name) != unknown.header.Get(name) {
					t.Errorf("%s: %s is %q, want %q", method, name, a.header.Get(name), unknown.header.Get(name))
				}
			}
			if strings.Contains(b.log.String(), sent) {
				t.Error("the log has the probe")
			}
		}
	}
}

// Without a valid probe, the header changes nothing. No value makes an answer larger than a
// probe may ask for.
func TestNoProbe(t *testing.T) {
	t.Parallel()
	b, store := probing(t, true)
	foreign := storetest.Open(t) // of another installation
	unknown := ask(b.api.Public(), "GET", "/nothing", "")
	cursor, err := store.SealCursor(t.Context(), "a listing", `{"at":"`+time.Now().Format(time.RFC3339)+`"}`)
	if err != nil {
		t.Fatal(err)
	}
	valid := sealProbe(t, store, Probe{At: time.Now()})
	for name, sent := range map[string][]string{
		"empty":         {""},
		"text":          {"x"},
		"long":          {strings.Repeat("A", maxProbe+1)},
		"two":           {valid, valid},
		"old":           {sealProbe(t, store, Probe{At: time.Now().Add(-2 * probeAge)})},
		"of tomorrow":   {sealProbe(t, store, Probe{At: time.Now().Add(24 * time.Hour)})},
		"foreign":       {sealProbe(t, foreign, Probe{At: time.Now()})},
		"a cursor":      {cursor},
		"changed":       {"B" + valid[1:]},
		"a large one":   {sealProbe(t, store, Probe{At: time.Now(), Padding: MaxProbePadding + 1})},
		"a negative":    {sealProbe(t, store, Probe{At: time.Now(), Padding: -1})},
		"with a suffix": {valid + "="},
	} {
		r := httptest.NewRequest(http.MethodGet, "/nothing", http.NoBody)
		r.Header[ProbeHeader] = sent
		recorded := httptest.NewRecorder()
		b.api.Public().ServeHTTP(recorded, r)
		if recorded.Code != unknown.status || recorded.Body.String() != unknown.body ||
			recorded.Header().Get(ProbeHeader) != "" || len(recorded.Header()) != len(unknown.header) {
			t.Errorf("%s: %d %v", name, recorded.Code, recorded.Header())
		}
	}
	if a := ask(b.api.Public(), "POST", "/nothing", "", ProbeHeader, valid); a.header.Get(ProbeHeader) != "" {
		t.Error("a POST is answered as a probe")
	}
	off := newBench(t, nil)
	if a := ask(off.api.Public(), "GET", "/nothing", "", ProbeHeader, valid); a.header.Get(ProbeHeader) != "" {
		t.Error("without cursors a probe is answered")
	}
}

// The answer says whether the service itself speaks TLS.
func TestProbeOverTLS(t *testing.T) {
	t.Parallel()
	b, cursors := probing(t, false)
	for target, want := range map[string]bool{"http://a.test/x": false, "https://a.test/x": true} {
		r := httptest.NewRequest(http.MethodGet, target, http.NoBody)
		sent := sealProbe(t, cursors, Probe{At: time.Now()})
		r.Header.Set(ProbeHeader, sent)
		recorded := httptest.NewRecorder()
		b.api.Public().ServeHTTP(recorded, r)
		got, err := OpenProbed(t.Context(), cursors, sent, recorded.Header().Get(ProbeHeader))
		if err != nil || got.TLS != want {
			t.Errorf("%s: %+v, %v", target, got, err)
		}
	}
}

// A probe of the path of a link counts no click.
func TestProbeOfALink(t *testing.T) {
	t.Parallel()
	b, store := probing(t, false)
	path, id := b.issue(t, `{"bucket":"exports","key":"a","pin":"none"}`)
	path = path[strings.LastIndexByte(path, '/'):]
	a := ask(b.api.Public(), "GET", path, "", ProbeHeader, sealProbe(t, store, Probe{At: time.Now()}))
	shown := b.operator(opsKey, "GET", "/api/v1/links/"+id, "")
	if a.status != http.StatusNotFound || a.header.Get("Location") != "" || !strings.Contains(shown.body, `"clicks":0`) {
		t.Errorf("%d, %s", a.status, shown.body)
	}
}

// The answer is as long as the probe wants, and belongs to this probe only.
func TestProbePadding(t *testing.T) {
	t.Parallel()
	b, store := probing(t, false)
	for _, padding := range []int{1000, 9866, MaxProbePadding} {
		sent := sealProbe(t, store, Probe{At: time.Now(), Padding: padding})
		answer := ask(b.api.Public(), "GET", "/x", "", ProbeHeader, sent).header.Get(ProbeHeader)
		if len(answer) < padding || len(answer) > padding+1000 {
			t.Errorf("%d: the header has %d bytes", padding, len(answer))
		}
		other := sealProbe(t, store, Probe{At: time.Now()})
		if _, err := OpenProbed(t.Context(), store, other, answer); !errors.Is(err, gateway.ErrCursor) {
			t.Errorf("another probe opens the answer: %v", err)
		}
	}
}
