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

// The deployments of Redis: the values of ClientOptions.Mode.
const (
	ModeSingle   = "single"
	ModeSentinel = "sentinel"
	ModeCluster  = "cluster"
)

// ClientOptions hold the addresses of Redis and the parameters of the connections.
type ClientOptions struct {
	Mode      string   // ModeSingle, ModeSentinel or ModeCluster
	Addresses []string // host:port of the server, of the sentinels, or of some nodes of the cluster
	Username  string   // empty: the default user
	Password  string
	Database  int // 0 in a cluster

	MasterName       string // the name of the master at the sentinels
	SentinelUsername string
	SentinelPassword string

	TLS     *tls.Config   // nil: no TLS
	Timeout time.Duration // of one call, including its connection
	// LongReplies accepts replies of any length. Only a Redis that the caller has started
	// itself may have them, because a broken one could fill the memory.
	LongReplies bool
}

// Client holds three pools of connections to Redis: one for clicks, one for the calls of
// operators, and one for writes that wait for replicas. With separate pools, a long
// listing delays no click. A Client connects on first use.
type Client struct {
	mode    string
	timeout time.Duration
	clicks  redis.UniversalClient
	rest    redis.UniversalClient
	waiting redis.UniversalClient

	maxClickConnections int
}

// Connect returns a Client. It opens no connection, so Redis need not be running. The
// error is an invalid option.
func Connect(o ClientOptions) (*Client, error) {
	if len(o.Addresses) == 0 || o.Timeout <= 0 {
		return nil, errors.New("redis needs an address and a timeout")
	}
	build, ok := map[string]func(ClientOptions, int) redis.UniversalClient{
		ModeSingle: single, ModeSentinel: sentinel, ModeCluster: cluster,
	}[o.Mode]
	if !ok {
		return nil, fmt.Errorf("redis mode is %q; it must be single, sentinel or cluster", o.Mode)
	}
	// The number of connections limits the calls that wait during an outage. A click that
	// finds no free connection waits at most for the timeout.
	processors := runtime.GOMAXPROCS(0)
	maxClickConnections := 32 * processors
	return &Client{
		mode:                o.Mode,
		timeout:             o.Timeout,
		clicks:              build(o, maxClickConnections),
		rest:                build(o, 8*processors),
		waiting:             build(o, 16*processors),
		maxClickConnections: maxClickConnections,
	}, nil
}

// Close closes all connections.
func (c *Client) Close() error {
	return errors.Join(c.clicks.Close(), c.rest.Close(), c.waiting.Close())
}

// The settings below appear three times, because go-redis has a type of options for each
// deployment. They keep every call within the timeout: the context's deadline applies to
// the socket, one dial is one attempt (by default go-redis makes 20 attempts, in 1.75 s,
// if a connection is refused), and a retry waits for a few milliseconds. Only commands
// that were never sent, or are safe to repeat, are retried; see once. RESP2 avoids the
// notifications of RESP3.
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
		// go-redis need not read COMMAND, because every command here has its keys at the
		// usual position.
		DisableRoutingPolicies:   true,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	})
	client.OnNewNode(func(node *redis.Client) { node.AddHook(topologyDeadline{}) })
	client.AddHook(reloadOnFailure{client})
	return client
}

// reloadOnFailure is a hook that reads the cluster's topology again when a node did not
// answer. go-redis does so only if a node redirects. A dead node does not redirect, so
// go-redis would send calls to it for a minute after the failover.
type reloadOnFailure struct{ client *redis.ClusterClient }

// DialHook implements redis.Hook.
func (reloadOnFailure) DialHook(next redis.DialHook) redis.DialHook { return next }

// ProcessHook implements redis.Hook.
func (r reloadOnFailure) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		err := next(ctx, cmd)
		r.after(ctx, err)
		return err
	}
}

// ProcessPipelineHook implements redis.Hook.
func (r reloadOnFailure) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		err := next(ctx, cmds)
		r.after(ctx, err)
		return err
	}
}

// after reloads the topology if err is not an answer of Redis. It does not wait. go-redis
// limits the reloads to a few per second.
func (r reloadOnFailure) after(ctx context.Context, err error) {
	var answer redis.Error
	if err != nil && !errors.As(err, &answer) {
		r.client.ReloadState(ctx)
	}
}

// topologyDeadline is a hook of every node. To learn the masters, go-redis asks one node
// after the other until one answers. The hook limits each question to half of the
// remaining time. If a node does not answer, time is left for another node and for the
// call itself.
type topologyDeadline struct{}

// DialHook implements redis.Hook.
func (topologyDeadline) DialHook(next redis.DialHook) redis.DialHook { return next }

// ProcessHook implements redis.Hook.
func (topologyDeadline) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if _, isTopology := cmd.(*redis.ClusterSlotsCmd); isTopology {
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
func (topologyDeadline) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

// LogTo sends the messages of go-redis itself, about lost connections and failovers, to
// logger at debug level instead of to stderr. It applies to the whole process, because
// go-redis has a single logger.
func LogTo(logger *slog.Logger) { redis.SetLogger(clientLog{logger}) }

// clientLog implements go-redis' logging interface over slog.
type clientLog struct{ *slog.Logger }

// Printf logs one message of go-redis.
func (l clientLog) Printf(ctx context.Context, format string, v ...any) {
	if l.Enabled(ctx, slog.LevelDebug) {
		l.DebugContext(ctx, "redis client", "message", fmt.Sprintf(format, v...))
	}
}
