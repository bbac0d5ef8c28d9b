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
	"sync"
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

// run stops everything, and returns what went wrong. A step that is not done when
// ctx ends is logged and left behind: the process is about to end.
func (c *cleanups) run(ctx context.Context) error {
	var failed error
	for i := len(c.steps) - 1; i >= 0; i-- {
		step := c.steps[i]
		var err error
		if !within(ctx, func() { err = step.stop(ctx) }) {
			c.log.Warn("stopping took too long; not waiting for it", "what", step.name)
			continue
		}
		if err != nil {
			failed = errors.Join(failed, fmt.Errorf("stop %s: %w", step.name, err))
		}
		c.log.Debug("stopped", "what", step.name)
	}
	return failed
}

// within calls wait and tells whether it returned before ctx ended.
func within(ctx context.Context, wait func()) bool {
	done := make(chan struct{})
	go func() {
		defer close(done)
		wait()
	}()
	select {
	case <-done:
		return true
	case <-ctx.Done():
		return false
	}
}

// The bounds of every connection. net/http has none by default, and one slow
// client after the other would hold them all.
const (
	readHeaderTimeout = 10 * time.Second
	readTimeout       = 30 * time.Second
	// writeTimeout is from the end of the request's header to the end of the answer.
	writeTimeout = 90 * time.Second
	// operatorTimeout bounds what an operator's request waits for, whatever
	// redis.timeout and storage.timeout add up to. What is left of writeTimeout is for
	// the answer, so that a caller gets a 503 and no broken connection.
	operatorTimeout = writeTimeout - 15*time.Second
	idleTimeout     = 2 * time.Minute
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

// stop stops all listeners at the same time, so that a client that stalls one
// takes no time from the others.
func (on *listeners) stop(ctx context.Context) error {
	all := on.all()
	failed := make([]error, len(all))
	var stopping sync.WaitGroup
	for i, l := range all {
		stopping.Go(func() {
			if err := l.stop(ctx); err != nil {
				failed[i] = fmt.Errorf("listener %s: %w", l.address(), err)
			}
		})
	}
	stopping.Wait()
	return errors.Join(failed...)
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
	log      *slog.Logger
	draining atomic.Bool
	held     atomic.Pointer[chan struct{}] // requests wait for it, while the listener closes
	// requests is the parent of every request's context, and bodies ends when no
	// request's body is waited for any longer.
	requests, bodies context.Context //nolint:containedctx // They live as long as the listener.
	endRequests      context.CancelCauseFunc
	endBodies        context.CancelFunc

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
	l := &listener{net: newAcceptor(opened, log), log: log}
	background := context.WithoutCancel(ctx)
	l.requests, l.endRequests = context.WithCancelCause(background)
	l.bodies, l.endBodies = context.WithCancel(background)
	l.server = &http.Server{
		ReadHeaderTimeout: readHeaderTimeout, ReadTimeout: readTimeout,
		WriteTimeout: writeTimeout, IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeader,
		// OPTIONS * is a method like any other.
		DisableGeneralOptionsHandler: true,
		ErrorLog:                     slog.NewLogLogger(log.Handler(), slog.LevelDebug),
		ConnState:                    l.net.track,
		BaseContext:                  func(net.Listener) context.Context { return l.requests },
	}
	return l, nil
}

// limitConnections bounds the connections, so that recipients leave descriptors for
// everything else that the process opens.
func (l *listener) limitConnections() error {
	files, err := descriptors()
	if err != nil {
		return fmt.Errorf("ask how many files may be open: %w", err)
	}
	l.net.limit = publicConnections(files)
	if l.net.limit < fewConnections {
		l.log.Warn("few file descriptors: raise the limit of open files (LimitNOFILE, ulimit -n)",
			"descriptors", files, "recipients_connections", l.net.limit)
	}
	return nil
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
		if r.ProtoMajor == 2 && r.ContentLength != 0 {
			// endReads reaches HTTP/1 bodies only: HTTP/2 reads ahead on its own.
			ended := make(chan struct{})
			stop := context.AfterFunc(l.bodies, func() {
				defer close(ended)
				_ = http.NewResponseController(w).SetReadDeadline(longAgo()) // or the request is over
			})
			defer func() {
				if !stop() { // It has begun, and w must last until it is done.
					<-ended
				}
			}()
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
