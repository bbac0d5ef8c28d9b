package httpapi

import (
	"context"
	"crypto/sha256"
	"io"
	"log/slog"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/labstack/echo/v4"

	"keyhole/gateway"
	"keyhole/gateway/api"
)

// OperatorKey admits whoever presents the key of that hash.
type OperatorKey struct {
	Name      string
	SHA256    [sha256.Size]byte
	Can       []gateway.Action
	Objects   []gateway.Pattern
	MaxExpiry time.Duration // 0: as the policy says
}

// Tokens admits operators by what an identity provider has signed.
type Tokens interface {
	// Verify returns who holds the token and what they may do. A provider that
	// cannot be asked is gateway.ErrUnavailable, with gateway.ErrIssuer if it is another
	// than the configuration names; every other error means that the token admits
	// nobody, and a gateway.TokenError says why.
	Verify(ctx context.Context, token string) (*gateway.Actor, error)
}

// Options is what the listeners' handlers are made of. Every field is needed
// unless it says otherwise.
type Options struct {
	Service *gateway.Service
	// PublicURL is how recipients reach the public listener, without a path.
	PublicURL string
	// TrustedProxies are the peers whose X-Forwarded-For is believed; empty: none.
	TrustedProxies []netip.Prefix
	// Keys are admitted from the start on; see SetKeys.
	Keys []OperatorKey
	// Tokens are too, unless it is nil; see SetTokens.
	Tokens Tokens
	// RequestsPerMinute is how many requests each operator may make; 0: any number.
	RequestsPerMinute int
	// RequestTimeout bounds an operator's request, whatever it waits for; 0: nothing
	// does. It must leave time to send the answer within the server's write timeout.
	RequestTimeout time.Duration
	// FormatAddress returns the part of a client's address that may be recorded in events
	// and in the log; "" for none of it.
	FormatAddress func(netip.Addr) string
	// Ready tells whether the service can serve clicks, asked now.
	Ready       func(context.Context) api.Readiness
	Metrics     *gateway.Metrics
	MetricsPage http.Handler
	// MetricsApart keeps metrics and health off the operator's handler, because
	// they have a listener of their own.
	MetricsApart bool
	Logger       *slog.Logger
}

// API makes the handlers of the listeners.
type API struct {
	o      Options
	keys   atomic.Pointer[[]OperatorKey]
	tokens atomic.Pointer[Tokens] // nil: none are admitted
	pages  *pages
	secure bool // whether recipients come over https
	// public is what every answer to recipients carries, empty what one without a
	// body does.
	public, empty []fixedHeader
	rates         *rates
	// keyGuesses counts wrong operator keys.
	keyGuesses *gateway.Guesses
	// forgotten warns once of a proxy that is not configured.
	forgotten sync.Once
}

// New returns an API. It fails only if an embedded page cannot be parsed.
func New(o Options) (*API, error) {
	pages, err := newPages()
	if err != nil {
		return nil, err
	}
	a := &API{
		empty: []fixedHeader{{"Content-Length", []string{"0"}}},
		o:     o, pages: pages, secure: strings.HasPrefix(o.PublicURL, "https://"),
		// no-transform: Cloudflare, for one, otherwise rewrites addresses in pages.
		public:     fixedHeaders("no-store, no-transform", pages.policy, fixedHeader{"X-Robots-Tag", []string{"noindex, nofollow"}}),
		rates:      &rates{limit: o.RequestsPerMinute, now: time.Now},
		keyGuesses: gateway.NewGuesses(gateway.MaxKeyFailures, time.Now),
	}
	a.SetKeys(o.Keys)
	a.SetTokens(o.Tokens)
	return a, nil
}

// SetKeys admits these keys, and no others, from the next request on. What a key has
// lost it has lost for links that were made with it too.
func (a *API) SetKeys(keys []OperatorKey) { a.keys.Store(&keys) }

// SetTokens admits who holds these tokens from the next request on, nobody for nil.
func (a *API) SetTokens(tokens Tokens) {
	if tokens == nil {
		a.tokens.Store(nil)
		return
	}
	a.tokens.Store(&tokens)
}

// newEcho returns an echo without any of its defaults that speak or trust.
func newEcho() *echo.Echo {
	e := echo.New()
	e.HideBanner, e.HidePort = true, true
	e.Logger.SetOutput(io.Discard) // what it would say is said by the request log
	e.IPExtractor = echo.ExtractIPDirect()
	return e
}
