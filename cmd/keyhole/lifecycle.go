package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"sync/atomic"
	"time"

	"keyhole/config"
)

// cleanups is what was started and how it is stopped: last in, first out.
type cleanups struct {
	log   *slog.Logger
	steps []cleanup
}

// cleanup stops one thing.
type cleanup struct {
	name string
	stop func(context.Context) error
}

// add registers how the thing just started is stopped.
func (c *cleanups) add(name string, stop func(context.Context) error) {
	c.steps = append(c.steps, cleanup{name, stop})
}

// run stops everything, within ctx, and returns what went wrong.
func (c *cleanups) run(ctx context.Context) error {
	var failed error
	for i := len(c.steps) - 1; i >= 0; i-- {
		step := c.steps[i]
		if err := step.stop(ctx); err != nil {
			failed = errors.Join(failed, fmt.Errorf("stop %s: %w", step.name, err))
		}
		c.log.Debug("stopped", "what", step.name)
	}
	return failed
}

// The bounds of every connection. net/http has none by default, and one slow
// client after the other would hold them all.
const (
	readHeaderTimeout = 10 * time.Second
	readTimeout       = 30 * time.Second
	writeTimeout      = 90 * time.Second // an issue may wait for a storage's longest timeout
	idleTimeout       = 2 * time.Minute
	// maxHeader keeps request headers to 32 KiB: net/http reads 4 KiB more than
	// it is told before it answers 431.
	maxHeader = 32<<10 - 4<<10
)

// listeners are the addresses of one service.
type listeners struct {
	public, operator *listener
	metrics          *listener // nil: on the operator's
}

// openListeners opens every address of the configuration. Nothing is served
// before start, so that all addresses are known, and free, before the first
// request is answered.
func openListeners(ctx context.Context, cfg *config.Config, log *slog.Logger) (_ *listeners, err error) {
	on := &listeners{}
	defer func() {
		if err != nil {
			err = errors.Join(err, on.close())
		}
	}()
	if on.public, err = listen(ctx, "public.listen", cfg.Public.Listen, log); err != nil {
		return nil, err
	}
	if on.operator, err = listen(ctx, "operator.listen", cfg.Operator.Listen, log); err != nil {
		return nil, err
	}
	if cfg.Metrics.Listen != "" {
		if on.metrics, err = listen(ctx, "metrics.listen", cfg.Metrics.Listen, log); err != nil {
			return nil, err
		}
	}
	return on, nil
}

// all returns the listeners that are open.
func (on *listeners) all() []*listener {
	return slices.DeleteFunc([]*listener{on.public, on.operator, on.metrics}, func(l *listener) bool { return l == nil })
}

// close closes the addresses of a service that did not start.
func (on *listeners) close() error {
	var failed error
	for _, l := range on.all() {
		if err := l.net.Close(); !errors.Is(err, net.ErrClosed) {
			failed = errors.Join(failed, err)
		}
	}
	return failed
}

// listener is one address and the server on it.
type listener struct {
	net      *acceptor
	server   *http.Server
	draining atomic.Bool
	held     atomic.Pointer[chan struct{}] // requests wait for it, while the listener closes

	certificate atomic.Pointer[tls.Certificate] // nil: it speaks plain HTTP
}

// listen opens one address, that of a key of the configuration.
func listen(ctx context.Context, key, address string, log *slog.Logger) (*listener, error) {
	var config net.ListenConfig
	opened, err := config.Listen(ctx, "tcp", address)
	if err != nil {
		return nil, &hinted{
			err:  fmt.Errorf("listen on %s: %w", address, err),
			hint: "is another process there? choose another address by " + key, code: exitFailed,
		}
	}
	l := &listener{net: &acceptor{Listener: opened, open: map[*conn]struct{}{}}}
	l.server = &http.Server{
		ReadHeaderTimeout: readHeaderTimeout, ReadTimeout: readTimeout,
		WriteTimeout: writeTimeout, IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeader,
		// OPTIONS * is a method like any other.
		DisableGeneralOptionsHandler: true,
		ErrorLog:                     slog.NewLogLogger(log.Handler(), slog.LevelDebug),
		ConnState:                    l.net.track,
	}
	return l, nil
}

// address is where the listener is reached, with the port that was free.
func (l *listener) address() string { return l.net.Addr().String() }

// serve answers with handler until stop, over TLS where a certificate is given.
// A server that ends by itself says so on failed.
func (l *listener) serve(handler http.Handler, certificate config.TLS, failed chan<- error) {
	l.server.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if l.draining.Load() {
			w.Header().Set("Connection", "close")
		}
		if held := l.held.Load(); held != nil {
			<-*held
		}
		handler.ServeHTTP(w, r)
	})
	go func() {
		err := l.run(certificate)
		if !errors.Is(err, http.ErrServerClosed) && !errors.Is(err, net.ErrClosed) {
			failed <- fmt.Errorf("listener %s: %w", l.address(), err)
		}
	}()
}

// run serves until the server is stopped.
func (l *listener) run(certificate config.TLS) error {
	if certificate.CertFile == "" {
		return l.server.Serve(l.net)
	}
	if err := l.renew(certificate); err != nil {
		return err
	}
	l.server.TLSConfig = &tls.Config{
		MinVersion:     tls.VersionTLS12,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return l.certificate.Load(), nil },
	}
	return l.server.ServeTLS(l.net, "", "")
}

// renew reads the certificate for the connections to come.
func (l *listener) renew(files config.TLS) error {
	certificate, err := tls.LoadX509KeyPair(files.CertFile, files.KeyFile)
	if err != nil {
		return fmt.Errorf("read the certificate of %s: %w", l.address(), err)
	}
	l.certificate.Store(&certificate)
	return nil
}

// drain lets clients go in peace: each answer from now on closes its connection,
// so that by the time the listener closes nobody is about to use one again.
func (l *listener) drain() { l.draining.Store(true) }

// stop closes the listener, waits for the requests under way, and closes what is
// left; what is not done within ctx is cut off. The order matters. A listener
// that is closed resets the connections that nobody has accepted yet, so answers
// are held back until no client connects any more: one that waits for its answer
// opens no new connection. And once Shutdown has been called, net/http drops a
// request that it has just read from a fresh connection, so Shutdown comes when
// there is none.
func (l *listener) stop(ctx context.Context) error {
	l.drain()
	held := make(chan struct{})
	l.held.Store(&held)
	l.quiet(ctx)
	failed := l.net.Close()
	if errors.Is(failed, net.ErrClosed) {
		failed = nil
	}
	close(held)
	waiting, cancel := context.WithTimeout(ctx, busyFor)
	defer cancel()
	l.wait(waiting)
	// Shutdown closes the listener too, where Serve has not noticed yet.
	if err := l.server.Shutdown(ctx); err != nil && !errors.Is(err, net.ErrClosed) {
		failed = errors.Join(failed, err, l.server.Close())
	}
	return failed
}

// quietFor is how long no client may have connected before a listener closes,
// and quietRounds how often that is tried.
const (
	quietFor    = 20 * time.Millisecond
	quietRounds = 10
)

// busyFor bounds the wait for connections that are open and silent: a browser
// opens some ahead of need. It is longer than any click takes.
const busyFor = 5 * time.Second

// quiet returns when no client has connected for a while, or clients keep coming.
func (l *listener) quiet(ctx context.Context) {
	ticker := time.NewTicker(quietFor)
	defer ticker.Stop()
	before := l.net.everOpened()
	for range quietRounds {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		now := l.net.everOpened()
		if now == before {
			return
		}
		before = now
	}
}

// busyRound is how often it is looked whether a connection is still busy.
const busyRound = 2 * time.Millisecond

// wait returns when no connection is busy, or ctx ends.
func (l *listener) wait(ctx context.Context) {
	ticker := time.NewTicker(busyRound)
	defer ticker.Stop()
	for l.net.busy() {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}
