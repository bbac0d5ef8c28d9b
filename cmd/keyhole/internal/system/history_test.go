//go:build system

package system

import (
	"context"
	"flag"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"keyhole/cmd/keyhole/internal/operatorkey"
	"keyhole/gateway/objects/s3test"
	"keyhole/gateway/redisstore/redistest"
)

// How long a history is: for a time, or until there is enough of everything.
//
//	deploy/history
var (
	historyFor = flag.Duration("history", 30*time.Second, //nolint:gochecknoglobals // a flag
		"how long TestHistory goes on")
	historyFull = flag.Bool("full", false, //nolint:gochecknoglobals // a flag
		"TestHistory goes on until there is enough of everything")
)

// What a full history has.
const (
	fullOperations = 1_000_000
	fullRedirects  = 300_000
	fullRevoked    = 20_000
	fullSpent      = 20_000
	fullFaults     = 50 // of each kind
)

// historyWorkers is how many clients live links at the same time.
const historyWorkers = 12

// historyInstallation is three gateways over a cluster behind proxies.
type historyInstallation struct {
	*installation
	group    *redistest.Group
	proxies  []*redistest.Proxy
	gateways []*instance
}

// installHistory starts them, with a program of their own where one is given. Redis
// writes to its disk before it answers: with everysec a server that is killed and
// started again has forgotten the last moments, as the documents say.
func installHistory(t *testing.T, program string) *historyInstallation {
	t.Helper()
	group, proxies := redistest.StartClusterBehind(t, "min-replicas-to-write 1", "min-replicas-max-lag 2",
		"appendfsync always")
	in := &installation{
		t: t, redis: group.Servers[0], s3: s3test.Start(t, "reports", "exports"),
		key: operatorkey.New(), dir: t.TempDir(), s3KeyID: s3test.RootKey, s3Secret: s3test.RootSecret, program: program,
	}
	in.put(t, "file.txt", []byte("content"))
	h := &historyInstallation{installation: in, group: group, proxies: proxies}
	for range 3 {
		h.gateways = append(h.gateways, in.start("KEYHOLE_REDIS_MODE=cluster", "KEYHOLE_LOG_LEVEL=error",
			"KEYHOLE_REDIS_ADDRESSES="+strings.Join(group.Addresses, ","), "KEYHOLE_REDIS_WAIT_REPLICAS=1", shortTimeout))
	}
	return h
}

// nemesis returns what haunts the installation.
func (h *historyInstallation) nemesis(t *testing.T) *nemesis {
	t.Helper()
	return &nemesis{t: t, group: h.group, proxies: h.proxies, counts: map[string]int{}}
}

// TestHistory lets clients issue, click, change and revoke over three gateways
// while a nemesis injects faults, and checks the answers. By default it
// goes on for 30 s.
func TestHistory(t *testing.T) {
	h := installHistory(t, "")
	r := newRecorder(h.gateways)
	r.tell = func(violation string) { t.Errorf("VIOLATION: %s", violation) }
	n := h.nemesis(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	wait := r.drive(ctx)
	if *historyFull {
		for !enough(r, n) {
			n.haunt(ctx, 1)
			t.Logf("%s: %s", time.Since(r.begun).Round(time.Second), r.progress())
		}
	} else {
		deadline, stop := context.WithTimeout(ctx, *historyFor)
		defer stop()
		for deadline.Err() == nil {
			n.haunt(deadline, 1)
		}
	}
	cancel()
	wait()
	t.Logf("history of %s: %s\n%s\n%s", time.Since(r.begun).Round(time.Second), r.progress(), r.table(), n.table())
	if len(r.violations) > 0 {
		t.Errorf("%d violations", len(r.violations))
	}
	if r.redirects.Load() == 0 || r.revoked.Load() == 0 || r.spent.Load() == 0 {
		t.Error("nothing was tried: there are no redirects, revocations or spent links")
	}
}

// enough tells whether a full history has all that it should.
func enough(r *recorder, n *nemesis) bool {
	for _, f := range faults() {
		if n.counts[f.name] < fullFaults {
			return false
		}
	}
	return r.operations.Load() >= fullOperations && r.redirects.Load() >= fullRedirects &&
		r.revoked.Load() >= fullRevoked && r.spent.Load() >= fullSpent
}

// progress says how much there is.
func (r *recorder) progress() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return fmt.Sprintf("%d operations on %d links, %d redirects, %d acknowledged revocations of links under clicks, %d "+
		"limited links spent to the end, %d violations",
		r.operations.Load(), r.links.Load(), r.redirects.Load(), r.revoked.Load(), r.spent.Load(), len(r.violations))
}

// table writes how often each fault was injected.
func (n *nemesis) table() string {
	var b strings.Builder
	b.WriteString("| fault | times |\n| --- | --- |\n")
	for _, name := range slices.Sorted(maps.Keys(n.counts)) {
		fmt.Fprintf(&b, "| %s | %d |\n", name, n.counts[name])
	}
	return b.String()
}
