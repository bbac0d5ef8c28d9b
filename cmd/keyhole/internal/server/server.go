package server

import (
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"keyhole/cmd/keyhole/internal/acme"
	"keyhole/cmd/keyhole/internal/command"
	"keyhole/cmd/keyhole/internal/listen"
	"keyhole/config"
	"keyhole/gateway"
	"keyhole/gateway/admission"
	"keyhole/gateway/console"
	"keyhole/gateway/httpapi"
	"keyhole/gateway/redisstore"
	"keyhole/gateway/request"
)

// operatorTimeout bounds how long an operator's request waits, however long
// redis.timeout and storage.timeout are. The rest of WriteTimeout is for sending the
// answer, so that the caller gets a 503 instead of a broken connection.
const operatorTimeout = listen.WriteTimeout - 15*time.Second

// The times of a shutdown. docker stop kills 10 s after SIGTERM, so everything
// together takes at most 8 s. All but DrainTime are counted from the end of the drain.
const (
	// DrainTime is how long the service answers, not ready, after it was told to stop.
	// Meanwhile load balancers and clients with open connections turn away.
	DrainTime = time.Second
	// stopTimeout bounds all steps of Stop. What the listeners leave of it is for the
	// events of the last clicks.
	stopTimeout = 5500 * time.Millisecond
)

// Server is one gateway: Redis, the storages, and the handlers on their listeners.
// Several servers can run in one process.
type Server struct {
	log       *Log
	build     command.Build
	api       *httpapi.API
	operators *admission.Authenticator
	sessions  *admission.Sessions
	console   *console.Console // nil: turned off
	previews  previews         // of recipients' pages, for the console
	// oneTimeSignIn is nil unless SignInOnce was called.
	oneTimeSignIn *console.OneTimeSignIn
	domain        *gateway.Service
	store         *redisstore.Store
	storages      []*Storage
	cleanups      *cleanups
	health        *health
	failed        chan error // a listener that ended by itself
	// needsRepair reports whether the service's own Redis cannot start without help; nil: the
	// service has none.
	needsRepair func() bool

	public, operator *listen.Listener
	metrics          *listen.Listener // nil: on the operator's
	redirect         *listen.Listener // nil: no plain http beside https
	certificates     *acme.Manager    // nil: certificates come from files

	configured *config.Config // by which the server starts
	// current is what is in force: the configuration of the start with everything
	// that Reload has applied since.
	current      config.Config
	reloadFailed prometheus.Gauge
	published    atomic.Pointer[config.Config]       // a copy of current, for other goroutines
	reloadState  atomic.Pointer[console.ReloadState] // nil: never reloaded
	examine      Examiner                            // nil: the console shows no health
}

// New returns a server with a configuration that config.Load or Config.Prepare has
// checked. It opens and starts nothing.
func New(cfg *config.Config, log *Log, b command.Build) *Server {
	s := &Server{
		log: log, build: b, configured: cfg,
		cleanups: &cleanups{log: log.Logger}, failed: make(chan error, 4),
	}
	s.adopt()
	return s
}

// Listen opens every address of the configuration. Start does it if nobody has done
// it before. Nothing is answered before Start.
func (s *Server) Listen(ctx context.Context) (err error) {
	defer func() {
		if err != nil {
			err = errors.Join(err, s.closeListeners())
		}
	}()
	c := s.configured
	recipients := recipientOptions(c.Public)
	if s.public, err = s.open(ctx, "public.listen", c.Public.Listen, recipients); err != nil {
		return err
	}
	if c.Public.RedirectListen != "" {
		s.redirect, err = s.open(ctx, "public.redirect_listen", c.Public.RedirectListen, recipients)
		if err != nil {
			return err
		}
	}
	if s.operator, err = s.open(ctx, "operator.listen", c.Operator.Listen, listen.Options{}); err != nil {
		return err
	}
	if c.Metrics.Listen != "" {
		s.metrics, err = s.open(ctx, "metrics.listen", c.Metrics.Listen, listen.Options{})
	}
	return err
}

// recipientOptions returns the limits of the listeners for recipients.
func recipientOptions(p config.Public) listen.Options {
	proxies, listeners := p.ProxyPrefixes(), 1
	if p.RedirectListen != "" {
		listeners = 2
	}
	return listen.Options{
		MaxConnections: p.MaxConnections, SharedBy: listeners, IdleTimeout: p.IdleTimeout,
		Exempt: func(address netip.Addr) bool { return request.Contains(proxies, address) },
		// A click goes on when its recipient hangs up, so nobody has to notice that.
		NoBackgroundRead: true,
	}
}

// open opens the address of one configuration key.
func (s *Server) open(ctx context.Context, key, address string, options listen.Options) (*listen.Listener, error) {
	options.Log = s.log.Logger
	l, err := listen.Open(ctx, address, options)
	if err != nil {
		return nil, &command.Error{
			Err: err, Hint: listen.Hint(err, "in "+key), Code: command.ExitFailed,
		}
	}
	return l, nil
}

// PublicAddr returns the address for recipients, host:port, after Listen or Start.
func (s *Server) PublicAddr() string { return s.public.Addr() }

// RedirectAddr returns the address of public.redirect_listen, host:port, after Listen or
// Start. It is "" without that listener.
func (s *Server) RedirectAddr() string {
	if s.redirect == nil {
		return ""
	}
	return s.redirect.Addr()
}

// OperatorAddr returns the address for operators, host:port, after Listen or Start.
func (s *Server) OperatorAddr() string { return s.operator.Addr() }

// Failed delivers the error of a listener that ended by itself.
func (s *Server) Failed() <-chan error { return s.failed }

// Start starts the server: Redis and the storages, the gateway over them, then the
// handlers on the listeners. When it returns, the server answers; Redis may be
// unreachable. It is long because it is a list: each line makes one part out of those
// above it. After an error everything is stopped.
//
// Cleanups run last in, first out: the listeners finish their requests, then the events of
// the last clicks are written, because clicks are answered before that, and Redis closes
// last. A Redis of the service itself ends after that.
func (s *Server) Start(ctx context.Context) (err error) {
	cfg, log := s.configured, s.log.Logger
	s.adopt() // A configuration without a fixed port is complete only after Listen.
	defer func() {
		if err != nil {
			err = errors.Join(err, s.Stop())
		}
	}()

	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	s.log.register(registry)
	metrics := gateway.NewMetrics(registry, gateway.MetricsOptions{
		Storages: StorageNames(cfg), Version: s.build.Version, Revision: s.build.Revision, GoVersion: s.build.GoVersion,
	})

	redisstore.LogTo(log)
	if err := s.startLocalRedis(ctx, registry); err != nil {
		return err
	}
	redis, store, err := OpenStore(cfg, metrics, log)
	if err != nil {
		return err
	}
	closeRedis := sync.OnceValue(redis.Close)
	s.cleanups.add("redis", func(context.Context) error { return closeRedis() })
	// The end of ctx begins a shutdown, during which clicks are still answered and the
	// checks in the background must go on. Only the cleanup ends them.
	background, cancel := context.WithCancel(context.WithoutCancel(ctx))
	s.cleanups.add("background", func(context.Context) error { cancel(); return nil })
	if err := admitRedis(ctx, store, &cfg.Redis, log); err != nil {
		return err
	}
	go watchRedis(background, store)

	storages, err := openStorages(ctx, cfg, metrics, registry)
	if err != nil {
		return err
	}
	for _, storage := range storages {
		go storage.watch(background, log)
	}
	registerStoreMetrics(registry, store, cfg.Redis.Timeout)
	registerAuditUsage(registry, cfg.Redis.Timeout, time.Now, store.AuditUsage)
	s.reloadFailed = newReloadFailed(registry)

	s.store, s.storages = store, storages
	s.health = &health{store: store, storages: storages, log: log, needsRepair: s.needsRepair}
	clientAddresses, err := recordAddresses(ctx, background, cfg.Audit, store, log)
	if err != nil {
		return err
	}
	keys, err := operatorKeys(cfg)
	if err != nil {
		return err
	}
	tokens, err := operatorTokens(cfg)
	if err != nil {
		return err
	}
	s.domain = gateway.New(gateway.Options{
		Links: store, Reservations: store, Clicks: store, Cursors: store, Storages: domainStorages(storages),
		Policy:   policyOf(cfg),
		Lifetime: cfg.Redirect.Lifetime, MediaLifetime: cfg.Redirect.MediaLifetime, ObjectCheck: cfg.Redirect.ObjectCheck,
		ResumeWindow: cfg.Redirect.ResumeWindow, Hashes: runtime.GOMAXPROCS(0),
		Insecure: cfg.Public.ClearText(), Metrics: metrics, Logger: log, Now: time.Now,
	})
	s.cleanups.add("events of clicks", func(context.Context) error { s.domain.Wait(); return nil })
	s.operators = admission.New(admission.Options{
		Keys: keys, Tokens: tokens, RequestsPerMinute: cfg.Operator.RequestsPerMinute, Logger: log, Now: time.Now,
	})
	s.sessions = s.newSessions(metrics, tokens)
	if s.api, err = s.newAPI(clientAddresses.Format, registry); err != nil {
		return err
	}
	if s.console, err = s.newConsole(background, clientAddresses.Format, registry); err != nil {
		return err
	}
	return s.serveCertified(ctx, background, registry, closeRedis)
}

// newAPI returns the handlers of the listeners, over the parts that Start has made.
// format returns what events and the log may contain of a client's address.
func (s *Server) newAPI(format func(netip.Addr) string, registry *prometheus.Registry) (*httpapi.API, error) {
	cfg, log := s.configured, s.log.Logger
	pageOptions, err := PageOptions(cfg)
	if err != nil {
		return nil, err
	}
	if err := s.previews.set(pageOptions); err != nil {
		return nil, err
	}
	return httpapi.New(httpapi.Options{
		Service:   s.domain,
		PublicURL: cfg.Public.URL, TrustedProxies: cfg.Public.ProxyPrefixes(), Pages: pageOptions,
		OperatorProxies: cfg.Operator.ProxyPrefixes(),
		Operators:       s.operators, RequestTimeout: operatorTimeout,
		FormatAddress: format, AddressForms: addressForms(s.store), Cursors: s.store,
		Ready: s.health.readiness, Metrics: httpapi.NewMetrics(registry),
		MetricsPage: promhttp.HandlerFor(registry,
			promhttp.HandlerOpts{ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelError)}),
		MetricsApart: cfg.Metrics.Listen != "", Version: s.build.Version, Logger: log,
	})
}

// serve answers on the listeners. They open after the first check of Redis, so that
// no client waits for it. closeRedis is called twice if requests still wait for Redis when
// the listeners stop.
func (s *Server) serve(ctx context.Context, closeRedis func() error) error {
	if s.public == nil {
		if err := s.Listen(ctx); err != nil {
			return err
		}
	}
	s.cleanups.add("listeners", func(ctx context.Context) error {
		// Requests that still wait for Redis then get an error, and are answered with 503.
		late := time.AfterFunc(listen.InterruptAfter, func() { _ = closeRedis() }) // the cleanup "redis" returns its error
		defer late.Stop()
		return listen.StopAll(ctx, s.listeners())
	})
	cfg, log := s.configured, s.log.Logger
	// The public listener is last: a server that answers clicks can already be probed, and
	// its links can be revoked.
	if s.metrics != nil {
		if err := s.metrics.Serve(s.api.Health(), listen.TLS{}, s.failed); err != nil {
			return err
		}
		log.Info("listening", "for", "metrics", "address", s.metrics.Addr())
	}
	operators := operatorHandler(s.console, s.api.Operator())
	if err := s.operator.Serve(operators, certificateOf(cfg.Operator.TLS), s.failed); err != nil {
		return err
	}
	if s.redirect != nil {
		if err := s.redirect.Serve(httpapi.NewRedirect(cfg.Public.URL, s.challenges()), listen.TLS{}, s.failed); err != nil {
			return err
		}
		log.Info("listening", "for", "redirects", "address", s.redirect.Addr(), "url", cfg.Public.URL)
	}
	certificate := certificateOf(cfg.Public.TLS.Files())
	if s.certificates != nil {
		certificate = listen.TLS{Source: s.certificates}
	}
	if err := s.public.Serve(s.api.Public(), certificate, s.failed); err != nil {
		return err
	}
	log.Info("listening", "for", "operators", "address", s.operator.Addr())
	log.Info("listening", "for", "recipients", "address", s.public.Addr(), "url", cfg.Public.URL)
	return nil
}

// certificateOf returns the files of a certificate in the configuration.
func certificateOf(c config.TLS) listen.TLS {
	return listen.TLS{CertFile: c.CertFile, KeyFile: c.KeyFile}
}

// listeners returns the open listeners.
func (s *Server) listeners() []*listen.Listener {
	return slices.DeleteFunc([]*listen.Listener{s.public, s.redirect, s.operator, s.metrics},
		func(l *listen.Listener) bool { return l == nil })
}

// closeListeners closes the addresses of a server that did not start.
func (s *Server) closeListeners() error {
	var failed error
	for _, l := range s.listeners() {
		failed = errors.Join(failed, l.Close())
	}
	return failed
}

// Drain makes the server not ready and its answers close their connections.
func (s *Server) Drain() {
	s.health.draining.Store(true)
	for _, l := range s.listeners() {
		l.Drain()
	}
}

// Stop stops everything that was started, last in, first out, within stopTimeout.
func (s *Server) Stop() error {
	ctx, cancel := context.WithTimeout(context.Background(), stopTimeout)
	defer cancel()
	return errors.Join(s.cleanups.run(ctx), s.closeListeners())
}
