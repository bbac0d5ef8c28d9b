package httpapi

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"keyhole/gateway"
	"keyhole/gateway/request"
)

// A probe is a request of keyhole doctor through public.url. Its header proves that the
// sender can read the Redis of this installation. The answer is the one to every unknown
// path, with a header that only the sender of the probe can decrypt. A request without a
// valid probe gets the same answer without that header, so that strangers learn nothing
// from probes. A probe counts no click and asks no store, and chooses no host.

// ProbeHeader is the header of a probe and of the answer to it.
const ProbeHeader = "Keyhole-Probe"

const (
	// probeQuery and probedQuery name probes and answers among the values that
	// gateway.Cursors encrypts. No listing has a query with a NUL.
	probeQuery  = "\x00probe"
	probedQuery = "\x00probed\x00"
	// probeAge is how long a probe is valid: enough for clocks that differ.
	probeAge = time.Minute
	// maxProbe is the length of the longest header that may be a probe, in bytes.
	maxProbe = 512
	// maxProbedForwarded is how much of X-Forwarded-For the answer repeats, in bytes.
	maxProbedForwarded = 1024
	// MaxProbePadding is the largest Probe.Padding.
	MaxProbePadding = 24 << 10
)

// Probe is what a probe asks for.
type Probe struct {
	At time.Time `json:"at"`
	// Padding is the least length of the header of the answer, in bytes. It shows whether a
	// proxy passes on a Location of this length.
	Padding int `json:"padding,omitempty"`
}

// Probed is what the service saw of a probe.
type Probed struct {
	Method string `json:"method"`
	Peer   string `json:"peer"` // host:port of the other end of the connection
	// Forwarded is X-Forwarded-For as it arrived, its lines joined by commas.
	Forwarded string `json:"forwarded"`
	// Trusted says that the peer is one of public.trusted_proxies.
	Trusted bool `json:"trusted"`
	// TLS says that the peer speaks TLS with the service itself.
	TLS     bool   `json:"tls"`
	Padding string `json:"padding,omitempty"`
}

// SealProbe returns the header of a probe.
func SealProbe(ctx context.Context, cursors gateway.Cursors, p Probe) (string, error) {
	text, err := json.Marshal(p)
	if err != nil {
		return "", fmt.Errorf("seal a probe: %w", err)
	}
	return cursors.SealCursor(ctx, probeQuery, string(text))
}

// OpenProbed returns the answer to the probe sent. The error is gateway.ErrCursor if the
// service did not answer this probe.
func OpenProbed(ctx context.Context, cursors gateway.Cursors, sent, answer string) (Probed, error) {
	var p Probed
	text, err := cursors.OpenCursor(ctx, probedQuery+sent, answer)
	if err != nil {
		return p, err
	}
	if err := json.Unmarshal([]byte(text), &p); err != nil {
		return p, fmt.Errorf("open the answer to a probe: %w", err)
	}
	return p, nil
}

// openProbe returns the probe in a request, or false for every other request.
func (a *API) openProbe(r *http.Request) (Probe, bool) {
	sent := r.Header[ProbeHeader]
	if len(sent) != 1 || len(sent[0]) > maxProbe || a.o.Cursors == nil {
		return Probe{}, false
	}
	var p Probe // not before: it costs an allocation, and clicks come here too
	text, err := a.o.Cursors.OpenCursor(r.Context(), probeQuery, sent[0])
	if err != nil || json.Unmarshal([]byte(text), &p) != nil || time.Since(p.At).Abs() > probeAge {
		return p, false
	}
	return p, p.Padding >= 0 && p.Padding <= MaxProbePadding
}

// answerProbe answers a probe like a request for an unknown path, with a header for its
// sender.
func (a *API) answerProbe(c echo.Context, p Probe) error {
	r := c.Request()
	forwarded := strings.Join(r.Header["X-Forwarded-For"], ",")
	text, err := json.Marshal(Probed{
		Method: r.Method, Peer: r.RemoteAddr, Forwarded: forwarded[:min(len(forwarded), maxProbedForwarded)],
		Trusted: request.Contains(a.o.TrustedProxies, request.Peer(r)), TLS: r.TLS != nil,
		Padding: strings.Repeat(".", p.Padding*3/4), // base64 makes 4 bytes out of 3
	})
	if err != nil {
		return err
	}
	answer, err := a.o.Cursors.SealCursor(r.Context(), probedQuery+r.Header[ProbeHeader][0], string(text))
	if err != nil {
		return err
	}
	c.Response().Before(func() { c.Response().Header()[ProbeHeader] = []string{answer} })
	return a.pages.Load().refusals[gateway.OutcomeNotFound]
}
