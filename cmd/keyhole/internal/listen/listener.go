package listen

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

// The bounds of every connection. net/http has none by default, so slow clients
// could hold all connections.
const (
	readHeaderTimeout = 10 * time.Second
	readTimeout       = 30 * time.Second
	// WriteTimeout is from the end of the request's header to the end of the answer.
	WriteTimeout = 90 * time.Second
	// DefaultIdleTimeout is for listeners without Options.IdleTimeout.
	DefaultIdleTimeout = 2 * time.Minute
	// maxHeader keeps request headers to 32 KiB: net/http reads 4 KiB more than
	// it is told before it answers 431.
	maxHeader = 32<<10 - 4<<10
)

// Options are the options of a listener.
type Options struct {
	// MaxConnections bounds the open connections, so that slow clients leave file
	// descriptors for everything else that the process opens. The limit is lower if the
	// process may open too few files. 0: 1,000, of which one client may hold a half.
	MaxConnections int
	// SharedBy is the number of listeners with a limit in this process. They divide the
	// file descriptors. 0 counts as 1.
	SharedBy int
	// Exempt tells whether an address may hold more than its share of MaxConnections,
	// such as a proxy. nil: no address may.
	Exempt func(netip.Addr) bool
	// IdleTimeout is how long a connection without a request stays open; 0: 2 minutes.
	IdleTimeout time.Duration
	// NoBackgroundRead spares the read by which net/http notices, while a handler
	// runs, that the client has hung up. It fits handlers that finish their work
	// anyway. It has no effect on TLS connections.
	NoBackgroundRead bool
	Log              *slog.Logger
}

// maxStreams is the largest number of requests at the same time on one connection of
// HTTP/2, the least that RFC 9113 section 6.5.2 recommends. Requests that the client has
// reset count until their handlers have ended, and further requests wait for them. net/http
// closes a connection on which more than four times as many wait (TestResetStreams).
const maxStreams = 100

// Listener is one address and the HTTP server on it.
type Listener struct {
	acceptor *acceptor
	server   *http.Server
	log      *slog.Logger
	options  Options
	draining atomic.Bool
	held     atomic.Pointer[chan struct{}] // while the listener closes, answers wait for it
	// requests is the parent of every request's context. bodies ends when the
	// listener no longer waits for request bodies.
	requests, bodies context.Context //nolint:containedctx // They live as long as the listener.
	endRequests      context.CancelCauseFunc
	endBodies        context.CancelFunc

	certificate atomic.Pointer[tls.Certificate] // from files; nil: none
}

// Open opens one address, in the form host:port. Port 0 chooses a free one. Nothing
// is accepted before Serve.
func Open(ctx context.Context, address string, options Options) (*Listener, error) {
	var config net.ListenConfig
	opened, err := config.Listen(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", address, err)
	}
	l := &Listener{acceptor: newAcceptor(opened, options.Log), log: options.Log, options: options}
	background := context.WithoutCancel(ctx)
	l.requests, l.endRequests = context.WithCancelCause(background)
	l.bodies, l.endBodies = context.WithCancel(background)
	l.server = &http.Server{
		ReadHeaderTimeout: readHeaderTimeout, ReadTimeout: readTimeout,
		WriteTimeout: WriteTimeout, IdleTimeout: cmp.Or(options.IdleTimeout, DefaultIdleTimeout),
		MaxHeaderBytes: maxHeader, HTTP2: limitsOfHTTP2(), ConnContext: withConn,
		// OPTIONS * is handled like every other method.
		DisableGeneralOptionsHandler: true,
		ErrorLog:                     slog.NewLogLogger(options.Log.Handler(), slog.LevelDebug),
		ConnState:                    l.acceptor.track,
		BaseContext:                  func(net.Listener) context.Context { return l.requests },
	}
	return l, nil
}

// Addr returns the address on which the listener accepts connections, with the
// chosen port.
func (l *Listener) Addr() string { return l.acceptor.Addr().String() }

// Connections returns how many connections are open, and the limit that Serve has set, 0
// before Serve. At the limit, see makeRoom.
func (l *Listener) Connections() (open, limit int) {
	l.acceptor.mu.Lock()
	defer l.acceptor.mu.Unlock()
	return len(l.acceptor.open), l.acceptor.limit
}

// Limited returns what the limits of connections and requests did since Open.
func (l *Listener) Limited() Limited {
	l.acceptor.mu.Lock()
	defer l.acceptor.mu.Unlock()
	return l.acceptor.limited
}

// Close closes a listener that was never served.
func (l *Listener) Close() error { return ignoreClosed(l.acceptor.Close()) }

// Serve answers requests with handler until Stop, over TLS if a certificate is
// given. If the server ends earlier, Serve sends the reason to failed.
func (l *Listener) Serve(handler http.Handler, certificate TLS, failed chan<- error) error {
	if err := l.limitConnections(); err != nil {
		return err
	}
	l.acceptor.encrypted = certificate.enabled()
	l.acceptor.noBackgroundRead = l.options.NoBackgroundRead && !certificate.enabled()
	l.server.Handler = limitRequests(l.holding(handler))
	go func() {
		err := l.run(certificate)
		if !errors.Is(err, http.ErrServerClosed) && !errors.Is(err, net.ErrClosed) {
			failed <- fmt.Errorf("listener %s: %w", l.Addr(), err)
		}
	}()
	return nil
}

// limitConnections sets the limit of connections from the file descriptors that the
// process may have.
func (l *Listener) limitConnections() error {
	files, err := descriptors()
	if err != nil {
		return fmt.Errorf("read the limit of open files: %w", err)
	}
	l.acceptor.exempt = l.options.Exempt
	if l.options.MaxConnections == 0 {
		l.acceptor.limit, l.acceptor.share = operatorShares(files)
		l.acceptor.answerTimeout = operatorsStalledAfter
		return nil
	}
	possible := possibleConnections(files) / max(l.options.SharedBy, 1)
	l.acceptor.limit, l.acceptor.share = shares(l.options.MaxConnections, possible)
	if possible < min(fewConnections, l.options.MaxConnections) {
		l.log.Warn("few file descriptors: raise the limit of open files (LimitNOFILE, ulimit -n)",
			"descriptors", files, "recipients_connections", l.acceptor.limit)
	}
	return nil
}

// holding wraps a handler: while the listener drains, answers close their
// connections; while it closes, answers wait.
func (l *Listener) holding(handler http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if l.draining.Load() {
			w.Header().Set("Connection", "close")
		}
		if held := l.held.Load(); held != nil {
			<-*held
		}
		if r.ProtoMajor == 2 && r.ContentLength != 0 {
			// endReads reaches HTTP/1 bodies only, because net/http reads ahead in HTTP/2.
			ended := make(chan struct{})
			stop := context.AfterFunc(l.bodies, func() {
				defer close(ended)
				_ = http.NewResponseController(w).SetReadDeadline(longAgo()) // fails if the request is over
			})
			defer func() {
				if !stop() { // The function has begun and needs w until it returns.
					<-ended
				}
			}()
		}
		handler.ServeHTTP(w, r)
	})
}

// StopAll stops listeners at the same time, so that a slow client of one takes no
// time from the others.
func StopAll(ctx context.Context, all []*Listener) error {
	failed := make([]error, len(all))
	var stopping sync.WaitGroup
	for i, l := range all {
		stopping.Go(func() {
			if err := l.Stop(ctx); err != nil {
				failed[i] = fmt.Errorf("listener %s: %w", l.Addr(), err)
			}
		})
	}
	stopping.Wait()
	return errors.Join(failed...)
}
