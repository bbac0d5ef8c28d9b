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

// The errors of a Redis that answers but is not ready.
var (
	// ErrEvicting means that maxmemory is set with a policy that evicts keys. Redis may
	// then delete links and revocations.
	ErrEvicting = errors.New("redis evicts keys: set maxmemory-policy noeviction")
	// ErrNotMaster means that the server is a replica or a sentinel, which accepts no
	// writes.
	ErrNotMaster = errors.New("redis is not a master")
	// ErrVersion means that the server is older than Redis 7.0 or Valkey 7.2.
	ErrVersion = errors.New("redis is too old")
	// ErrClusterDown means that no master serves some of the cluster's slots.
	ErrClusterDown = errors.New("redis cluster is down")
)

// ServerInfo holds the properties that a server reports in ROLE and INFO. For a cluster,
// each field is the worst value of all masters.
type ServerInfo struct {
	Version   string // such as "7.0.15"
	Valkey    bool   // the server is Valkey, not Redis
	Role      string // "master" or "slave"
	MaxMemory int64  // bytes; 0: unlimited
	Policy    string // maxmemory-policy
	AOF       bool   // the server keeps an append-only file
	Unsaved   bool   // the last write of the append-only file, or the last snapshot, failed
	Replicas  int    // connected replicas
	// UsedMemory and MemoryLimit are in bytes, for a cluster those of the master with the
	// least memory left. 0: INFO does not report it, and no limit.
	UsedMemory, MemoryLimit int64
	// Guarded means that a master which has lost its replicas refuses writes:
	// min-replicas-to-write and min-replicas-max-lag are set.
	Guarded bool
}

// Evicting reports whether the server may evict keys.
func (i ServerInfo) Evicting() bool {
	return i.MaxMemory > 0 && i.Policy != "noeviction"
}

// Ready checks whether Redis can serve links now: every master answers, accepts writes,
// has a supported version and evicts no keys, and the number of partitions is right. The
// error is gateway.ErrUnavailable. If Redis answered, the error is also ErrEvicting,
// ErrNotMaster, ErrVersion, ErrClusterDown or ErrPartitions.
func (s *Store) Ready(ctx context.Context) (err error) {
	defer s.observe(callReady, time.Now(), &err)
	if err := s.probe(ctx, s.client.rest); err != nil {
		return unavailable("ready", err)
	}
	return nil
}

// Check returns the gravest fault of the server: ErrEvicting, ErrNotMaster or ErrVersion,
// the gravest first; nil: no fault.
func (i ServerInfo) Check() error {
	major, minor := i.release()
	switch {
	case i.Evicting():
		return fmt.Errorf("%w; it is %s", ErrEvicting, i.Policy)
	case i.Role != "master":
		return fmt.Errorf("%w; its role is %s", ErrNotMaster, i.Role)
	case major < 7, i.Valkey && major == 7 && minor < 2:
		return fmt.Errorf("%w: version %s; use Redis 7.0 or Valkey 7.2, or later", ErrVersion, i.Version)
	}
	return nil
}

// gravity returns the rank of the fault that Check returns; 0: no fault.
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

// Inspect reads the properties of the server, or of all masters of a cluster. The error
// is gateway.ErrUnavailable.
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

// Watch calls Ready at every tick until ctx ends, and logs every change of readiness. If
// a server starts to evict keys, after a failover or CONFIG SET, Keyhole refuses clicks
// from the next tick on.
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

// inspect reads the state of the server, or of every master of a cluster.
func (c *Client) inspect(ctx context.Context) (ServerInfo, error) {
	if cluster, ok := c.rest.(*redis.ClusterClient); ok {
		return inspectMasters(ctx, cluster)
	}
	return inspectNode(ctx, c.rest)
}

// inspectMasters reads the state of all masters of a cluster at the same time. With an
// error it also returns the state of the masters that answered.
func inspectMasters(ctx context.Context, cluster *redis.ClusterClient) (ServerInfo, error) {
	var mu sync.Mutex
	var worst *ServerInfo
	err := cluster.ForEachMaster(ctx, func(ctx context.Context, node *redis.Client) error {
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

// fuller reports whether a server has less memory left than another one: in relation to its
// limit, or without limits in bytes. A server with a limit is always the fuller one.
func (i ServerInfo) fuller(than *ServerInfo) bool {
	if i.MemoryLimit == 0 || than.MemoryLimit == 0 {
		return i.MemoryLimit > 0 || than.MemoryLimit == 0 && i.UsedMemory > than.UsedMemory
	}
	return float64(i.UsedMemory)/float64(i.MemoryLimit) > float64(than.UsedMemory)/float64(than.MemoryLimit)
}

// worse returns the worst values of two masters of one cluster.
func (i ServerInfo) worse(than *ServerInfo) *ServerInfo {
	if than == nil {
		return &i
	}
	w := *than
	if i.gravity() > w.gravity() {
		w = i
	}
	// MaxMemory stays that of the worst policy: mixed, they could look like eviction.
	if w.UsedMemory, w.MemoryLimit = than.UsedMemory, than.MemoryLimit; i.fuller(than) {
		w.UsedMemory, w.MemoryLimit = i.UsedMemory, i.MemoryLimit
	}
	w.AOF, w.Unsaved = i.AOF && than.AOF, i.Unsaved || than.Unsaved
	w.Guarded = i.Guarded && than.Guarded
	w.Replicas = min(i.Replicas, than.Replicas)
	return &w
}

// inspectMaster reads the state of one master of a cluster, in one round trip. With
// ErrClusterDown it returns the state of the master too.
func inspectMaster(ctx context.Context, node *redis.Client) (ServerInfo, error) {
	pipe := node.Pipeline()
	inspection, cluster := queueInspection(ctx, pipe), pipe.ClusterInfo(ctx)
	_, pipelineErr := pipe.Exec(ctx)
	info, err := inspection.read(pipelineErr)
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

// inspectNode reads the state of one server, in one round trip.
func inspectNode(ctx context.Context, node redis.UniversalClient) (ServerInfo, error) {
	pipe := node.Pipeline()
	inspection := queueInspection(ctx, pipe)
	_, err := pipe.Exec(ctx)
	return inspection.read(err)
}

// inspection holds the commands that read the state of a server.
type inspection struct {
	role, info *redis.Cmd
}

// queueInspection adds the commands to a pipeline.
func queueInspection(ctx context.Context, pipe redis.Pipeliner) inspection {
	return inspection{role: pipe.Do(ctx, "role"), info: pipe.Do(ctx, "info")}
}

// read reads the replies of a pipeline that ended with pipelineErr or nil. If Redis
// refused the connection, by AUTH for example, the commands hold no error, and read
// returns pipelineErr. Otherwise pipelineErr may belong to another command, so read
// ignores it.
func (i inspection) read(pipelineErr error) (ServerInfo, error) {
	if pipelineErr != nil && i.role.Err() == nil && i.role.Val() == nil {
		return ServerInfo{}, pipelineErr
	}
	role, err := i.role.Slice()
	if err != nil {
		return ServerInfo{}, err
	}
	text, err := i.info.Text()
	if err != nil {
		return ServerInfo{}, err
	}
	fields := parseInfo(text)
	info := ServerInfo{
		Version: cmp.Or(fields["valkey_version"], fields["redis_version"]),
		Valkey:  fields["valkey_version"] != "" || fields["server_name"] == "valkey",
		Policy:  fields["maxmemory_policy"],
		AOF:     fields["aof_enabled"] == "1",
	}
	info.Unsaved = fields["aof_last_write_status"] == "err" || fields["rdb_last_bgsave_status"] == "err"
	_, info.Guarded = fields["min_slaves_good_slaves"] // Redis reports this field only if min-replicas-to-write is set.
	if len(role) > 0 {
		info.Role, _ = role[0].(string)
	}
	info.MaxMemory, _ = strconv.ParseInt(fields["maxmemory"], 10, 64)
	info.UsedMemory, _ = strconv.ParseInt(fields["used_memory"], 10, 64)
	info.MemoryLimit = info.MaxMemory
	info.Replicas, _ = strconv.Atoi(fields["connected_slaves"])
	if info.Version == "" || info.Policy == "" {
		return ServerInfo{}, errors.New("INFO contains no version or no maxmemory_policy")
	}
	return info, nil
}

// parseInfo reads the lines "name:value" of INFO and of CLUSTER INFO.
func parseInfo(text string) map[string]string {
	fields := make(map[string]string)
	for line := range strings.Lines(text) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), ":"); ok {
			fields[name] = value
		}
	}
	return fields
}
