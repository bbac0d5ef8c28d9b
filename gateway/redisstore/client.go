package redisstore

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// The ways that Redis runs.
const (
	ModeSingle   = "single"
	ModeSentinel = "sentinel"
	ModeCluster  = "cluster"
)

// ClientOptions say where Redis is.
type ClientOptions struct {
	Mode      string   // ModeSingle, ModeSentinel or ModeCluster
	Addresses []string // host:port of the server, the sentinels or some cluster nodes
	Username  string   // empty: the default user
	Password  string
	Database  int // 0 in a cluster

	MasterName       string // what the sentinels call the master
	SentinelUsername string
	SentinelPassword string

	TLS     *tls.Config   // nil: without
	Timeout time.Duration // of one call, connecting included
}

// Client holds the connections to Redis: some for clicks, others for the rest,
// so that a long listing keeps no click waiting, and others again for what waits
// for replicas. It dials when it is used.
type Client struct {
	mode    string
	timeout time.Duration
	clicks  redis.UniversalClient
	// mostClicks is how many connections clicks have.
	mostClicks int
	rest       redis.UniversalClient
	waiting    redis.UniversalClient
}

// Connect makes a Client. Nothing is dialled yet: Redis may be away.
func Connect(o ClientOptions) (*Client, error) {
	if len(o.Addresses) == 0 || o.Timeout <= 0 {
		return nil, errors.New("redis needs an address and a timeout")
	}
	build, ok := map[string]func(ClientOptions, int) redis.UniversalClient{
		ModeSingle: single, ModeSentinel: sentinel, ModeCluster: cluster,
	}[o.Mode]
	if !ok {
		return nil, fmt.Errorf("redis mode %q is none of single, sentinel, cluster", o.Mode)
	}
	// The numbers of connections bound what an outage can pile up: a click that
	// finds none free waits for the timeout at most.
	processors := runtime.GOMAXPROCS(0)
	mostClicks := 32 * processors
	return &Client{
		mode:       o.Mode,
		timeout:    o.Timeout,
		clicks:     build(o, mostClicks),
		mostClicks: mostClicks,
		rest:       build(o, 8*processors),
		waiting:    build(o, 16*processors),
	}, nil
}

// Close closes all connections.
func (c *Client) Close() error {
	return errors.Join(c.clicks.Close(), c.rest.Close(), c.waiting.Close())
}

// The settings below are the same three times, because go-redis has three
// types for them. They hold every call within the timeout: the context's
// deadline reaches the socket, one dial is one attempt (by default 20 and
// 1.75 s for a refused connection), and a retry waits for a few milliseconds.
// A retry is for what was never sent or is safe to repeat; once and NoRetry
// see to the rest. RESP2 spares the notifications that RESP3 is for.
const (
	retries    = 1
	minBackoff = 4 * time.Millisecond
	maxBackoff = 16 * time.Millisecond
	redirects  = 3
)

func single(o ClientOptions, connections int) redis.UniversalClient {
	return redis.NewClient(&redis.Options{
		Addr: o.Addresses[0], Username: o.Username, Password: o.Password, DB: o.Database,
		TLSConfig: o.TLS, Protocol: 2, DisableIdentity: true,
		MaxRetries: retries, MinRetryBackoff: minBackoff, MaxRetryBackoff: maxBackoff,
		Dialer: dialer(o), DialTimeout: o.Timeout, ReadTimeout: o.Timeout, WriteTimeout: o.Timeout, PoolTimeout: o.Timeout,
		ContextTimeoutEnabled: true, DialerRetries: 1,
		PoolSize: connections, MaxActiveConns: connections, PipelinePoolSize: -1,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	})
}

func sentinel(o ClientOptions, connections int) redis.UniversalClient {
	return redis.NewFailoverClient(&redis.FailoverOptions{
		MasterName: o.MasterName, SentinelAddrs: o.Addresses,
		SentinelUsername: o.SentinelUsername, SentinelPassword: o.SentinelPassword,
		Username: o.Username, Password: o.Password, DB: o.Database,
		TLSConfig: o.TLS, Protocol: 2, DisableIdentity: true,
		MaxRetries: retries, MinRetryBackoff: minBackoff, MaxRetryBackoff: maxBackoff,
		Dialer: dialer(o), DialTimeout: o.Timeout, ReadTimeout: o.Timeout, WriteTimeout: o.Timeout, PoolTimeout: o.Timeout,
		ContextTimeoutEnabled: true, DialerRetries: 1,
		PoolSize: connections, MaxActiveConns: connections, PipelinePoolSize: -1,
	})
}

func cluster(o ClientOptions, connections int) redis.UniversalClient {
	client := redis.NewClusterClient(&redis.ClusterOptions{
		Addrs: o.Addresses, Username: o.Username, Password: o.Password,
		TLSConfig: o.TLS, Protocol: 2, DisableIdentity: true,
		MaxRedirects: redirects, MinRetryBackoff: minBackoff, MaxRetryBackoff: maxBackoff,
		Dialer: dialer(o), DialTimeout: o.Timeout, ReadTimeout: o.Timeout, WriteTimeout: o.Timeout, PoolTimeout: o.Timeout,
		ContextTimeoutEnabled: true, DialerRetries: 1,
		PoolSize: connections, MaxActiveConns: connections, PipelinePoolSize: -1,
		// What go-redis would learn about commands by COMMAND is not needed:
		// every command here names its keys in the usual place.
		DisableRoutingPolicies:   true,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	})
	client.OnNewNode(func(node *redis.Client) { node.AddHook(askAnother{}) })
	client.AddHook(lookAgain{client})
	return client
}

// lookAgain is a hook that looks for the masters again when a node did not
// answer. By itself go-redis does so when a node redirects, which one that is
// gone does not: it would be asked for a minute after the failover.
type lookAgain struct{ client *redis.ClusterClient }

// DialHook implements redis.Hook.
func (lookAgain) DialHook(next redis.DialHook) redis.DialHook { return next }

// ProcessHook implements redis.Hook.
func (l lookAgain) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		err := next(ctx, cmd)
		l.after(ctx, err)
		return err
	}
}

// ProcessPipelineHook implements redis.Hook.
func (l lookAgain) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		err := next(ctx, cmds)
		l.after(ctx, err)
		return err
	}
}

// after looks again unless there was an answer. It does not wait, and go-redis
// holds it to a few times a second.
func (l lookAgain) after(ctx context.Context, err error) {
	var answer redis.Error
	if err != nil && !errors.As(err, &answer) {
		l.client.ReloadState(ctx)
	}
}

// askAnother is a hook of every node. go-redis asks the nodes in turn who the
// masters are, until one answers. One that hangs may use up half of the time
// that is left, so that another can be asked and what was asked for be done.
type askAnother struct{}

// DialHook implements redis.Hook.
func (askAnother) DialHook(next redis.DialHook) redis.DialHook { return next }

// ProcessHook implements redis.Hook.
func (askAnother) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if _, learning := cmd.(*redis.ClusterSlotsCmd); learning {
			if deadline, ok := ctx.Deadline(); ok {
				var cancel context.CancelFunc
				ctx, cancel = context.WithTimeout(ctx, time.Until(deadline)/2)
				defer cancel()
			}
		}
		return next(ctx, cmd)
	}
}

// ProcessPipelineHook implements redis.Hook.
func (askAnother) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

// LogTo sends what go-redis itself has to say, lost connections and failovers,
// to logger at debug level instead of to stderr. It is one setting for the
// process, as go-redis has it.
func LogTo(logger *slog.Logger) { redis.SetLogger(clientLog{logger}) }

// clientLog is go-redis' logging interface over slog.
type clientLog struct{ *slog.Logger }

// Printf logs one message of go-redis.
func (l clientLog) Printf(ctx context.Context, format string, v ...any) {
	if l.Enabled(ctx, slog.LevelDebug) {
		l.DebugContext(ctx, "redis client", "message", fmt.Sprintf(format, v...))
	}
}
