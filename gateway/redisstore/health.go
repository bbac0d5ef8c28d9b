package redisstore

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

// The reasons, beside its not answering, for which Redis is not ready.
var (
	// ErrEvicting means that maxmemory is set with a policy that throws keys
	// away, links and revocations among them.
	ErrEvicting = errors.New("redis evicts keys: set maxmemory-policy noeviction")
	// ErrNotMaster means that what answers cannot be written to.
	ErrNotMaster = errors.New("redis is not a master")
	// ErrVersion means that the server is older than Redis 7.0 or Valkey 7.2.
	ErrVersion = errors.New("redis is too old")
	// ErrClusterDown means that some of the cluster's slots are not served.
	ErrClusterDown = errors.New("redis cluster is down")
)

// ServerInfo is what a server says about itself. In a cluster it is what all
// masters have in common, and the worst of what they have not.
type ServerInfo struct {
	Version   string // such as "7.0.15"
	Valkey    bool   // Valkey rather than Redis
	Role      string // "master" or "slave"
	MaxMemory int64  // bytes, 0: not limited
	Policy    string // maxmemory-policy
	AOF       bool   // every write goes to an append-only file
	Unsaved   bool   // the last attempt to write it, or a snapshot, failed
	Replicas  int    // connected ones
	// Guarded says that a master which has lost its replicas refuses writes:
	// min-replicas-to-write and min-replicas-max-lag are set.
	Guarded bool
}

// Evicting tells whether the server may throw keys away.
func (i ServerInfo) Evicting() bool {
	return i.MaxMemory > 0 && i.Policy != "noeviction"
}

// Ready asks Redis, now, whether links can be served: every master answers as
// a writable one of a version that will do, evicts nothing and keeps the
// partitions that this version knows. The error is gateway.ErrUnavailable and,
// where Redis did answer, one of the errors above or ErrPartitions.
func (s *Store) Ready(ctx context.Context) (err error) {
	defer s.observe(callReady, time.Now(), &err)
	if err := s.look(ctx, s.client.rest); err != nil {
		return unavailable("ready", err)
	}
	return nil
}

// Check names what is wrong with the server, the gravest first: ErrEvicting,
// ErrNotMaster or ErrVersion.
func (i ServerInfo) Check() error {
	major, minor := i.release()
	switch {
	case i.Evicting():
		return fmt.Errorf("%w: now %s", ErrEvicting, i.Policy)
	case i.Role != "master":
		return fmt.Errorf("%w: %s", ErrNotMaster, i.Role)
	case major < 7, i.Valkey && major == 7 && minor < 2:
		return fmt.Errorf("%w: %s, needed is Redis 7.0 or Valkey 7.2", ErrVersion, i.Version)
	}
	return nil
}

// gravity orders servers by what Check says of them, 0 where that is nothing.
func (i ServerInfo) gravity() int {
	err := i.Check()
	switch {
	case err == nil:
		return 0
	case errors.Is(err, ErrVersion):
		return 1
	case errors.Is(err, ErrNotMaster):
		return 2
	}
	return 3
}

// release returns the first two numbers of the version.
func (i ServerInfo) release() (major, minor int) {
	parts := strings.SplitN(i.Version, ".", 3)
	major, _ = strconv.Atoi(parts[0])
	if len(parts) > 1 {
		minor, _ = strconv.Atoi(parts[1])
	}
	return major, minor
}

// Inspect returns what Redis says about itself.
func (s *Store) Inspect(ctx context.Context) (_ ServerInfo, err error) {
	defer s.observe(callInspect, time.Now(), &err)
	ctx, cancel := context.WithTimeout(ctx, s.client.timeout)
	defer cancel()
	info, err := s.client.inspect(ctx)
	if err != nil {
		return ServerInfo{}, unavailable("inspect", err)
	}
	return info, nil
}

// Watch asks Ready at every tick until ctx ends, so that a server that begins
// to evict, by a failover or CONFIG SET, stops the clicks within one tick. It
// logs when readiness changes.
func (s *Store) Watch(ctx context.Context, ticks <-chan time.Time) {
	ready := true
	for {
		err := s.Ready(ctx)
		if ctx.Err() != nil {
			return
		}
		if now := err == nil; now != ready {
			ready = now
			if ready {
				s.options.Logger.InfoContext(ctx, "redis is ready again")
			} else {
				s.options.Logger.ErrorContext(ctx, "redis is not ready", "error", err)
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-ticks:
		}
	}
}

// inspect asks the server, or every master of a cluster.
func (c *Client) inspect(ctx context.Context) (ServerInfo, error) {
	if all, ok := c.rest.(*redis.ClusterClient); ok {
		return inspectMasters(ctx, all)
	}
	return inspectNode(ctx, c.rest)
}

// inspectMasters asks every master of a cluster, all at once. With an error it
// returns what those say that did answer.
func inspectMasters(ctx context.Context, all *redis.ClusterClient) (ServerInfo, error) {
	var mu sync.Mutex
	var worst *ServerInfo
	err := all.ForEachMaster(ctx, func(ctx context.Context, node *redis.Client) error {
		info, err := inspectMaster(ctx, node)
		if info.Version != "" {
			mu.Lock()
			defer mu.Unlock()
			worst = info.worse(worst)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", node.Options().Addr, err)
		}
		return nil
	})
	if worst == nil {
		return ServerInfo{}, cmp.Or(err, ErrClusterDown)
	}
	return *worst, err
}

// worse joins what two masters of one cluster say.
func (i ServerInfo) worse(than *ServerInfo) *ServerInfo {
	if than == nil {
		return &i
	}
	w := *than
	if i.gravity() > w.gravity() {
		w = i
	}
	w.AOF, w.Unsaved = i.AOF && than.AOF, i.Unsaved || than.Unsaved
	w.Guarded = i.Guarded && than.Guarded
	w.Replicas = min(i.Replicas, than.Replicas)
	return &w
}

// inspectMaster asks one master of a cluster, in one round trip. Where it says
// that the cluster is down, what it says of itself is returned too.
func inspectMaster(ctx context.Context, node *redis.Client) (ServerInfo, error) {
	pipe := node.Pipeline()
	asked, cluster := askNode(ctx, pipe), pipe.ClusterInfo(ctx)
	_, ended := pipe.Exec(ctx)
	info, err := asked.read(ended)
	if err != nil {
		return ServerInfo{}, err
	}
	state, err := cluster.Result()
	if err != nil {
		return info, err
	}
	if parseInfo(state)["cluster_state"] != "ok" {
		return info, ErrClusterDown
	}
	return info, nil
}

// inspectNode asks one server, in one round trip.
func inspectNode(ctx context.Context, node redis.UniversalClient) (ServerInfo, error) {
	pipe := node.Pipeline()
	asked := askNode(ctx, pipe)
	_, err := pipe.Exec(ctx)
	return asked.read(err)
}

// inspection is what a server is asked about itself in a pipeline.
type inspection struct {
	role, info *redis.Cmd
}

// askNode puts the commands into a pipeline.
func askNode(ctx context.Context, pipe redis.Pipeliner) inspection {
	return inspection{role: pipe.Do(ctx, "role"), info: pipe.Do(ctx, "info")}
}

// read reads the replies of a pipeline that ended with an error or nil. That may
// be the error of a command of others, but also that of a connection that was
// refused, by AUTH for instance, which leaves none in the commands.
func (asked inspection) read(ended error) (ServerInfo, error) {
	role, info := asked.role, asked.info
	if ended != nil && role.Err() == nil && role.Val() == nil {
		return ServerInfo{}, ended
	}
	answer, err := role.Slice()
	if err != nil {
		return ServerInfo{}, err
	}
	text, err := info.Text()
	if err != nil {
		return ServerInfo{}, err
	}
	fields := parseInfo(text)
	i := ServerInfo{
		Version: cmp.Or(fields["valkey_version"], fields["redis_version"]),
		Valkey:  fields["valkey_version"] != "" || fields["server_name"] == "valkey",
		Policy:  fields["maxmemory_policy"],
		AOF:     fields["aof_enabled"] == "1",
	}
	i.Unsaved = fields["aof_last_write_status"] == "err" || fields["rdb_last_bgsave_status"] == "err"
	_, i.Guarded = fields["min_slaves_good_slaves"] // told only where it is asked for
	if len(answer) > 0 {
		i.Role, _ = answer[0].(string)
	}
	i.MaxMemory, _ = strconv.ParseInt(fields["maxmemory"], 10, 64)
	i.Replicas, _ = strconv.Atoi(fields["connected_slaves"])
	if i.Version == "" || i.Policy == "" {
		return ServerInfo{}, errors.New("INFO says no version or no policy")
	}
	return i, nil
}

// parseInfo reads the lines "name:value" of INFO and CLUSTER INFO.
func parseInfo(text string) map[string]string {
	fields := make(map[string]string)
	for line := range strings.Lines(text) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), ":"); ok {
			fields[name] = value
		}
	}
	return fields
}
