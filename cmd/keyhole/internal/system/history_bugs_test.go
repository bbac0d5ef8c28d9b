//go:build system

package system

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// bug is a mistake that the history must be able to see: text of a source file, and
// what stands there instead.
type bug struct {
	file          string
	before, after string
	faults        func(*nemesis, context.Context) // under which it shows; nil: none are needed
	want          string                          // what is said of it
}

// bugs are planted into builds of their own.
func bugs() map[string]bug {
	return map[string]bug{
		"a spend that is not atomic": {
			file:   "gateway/redisstore/spend.go",
			before: "	indexBucket := int64(noIndexBucket)\n",
			after: `	link, err := s.Get(ctx, a.ID)
	if err == nil && link.State == gateway.StateActive && link.Clicks < link.MaxClicks {
		clicks := "\x00\x00\x00\x00" + string(rune(link.Clicks+1))
		err := s.client.clicks.SetRange(ctx, s.keys.permission(a.ID), 14, clicks).Err()
		now := time.Now()
		return gateway.Spent{Outcome: gateway.OutcomeRedirected, Now: now, GrantEnd: now.Add(spending.Window)}, err
	}
	indexBucket := int64(noIndexBucket)
`,
			want: "are answered by redirects",
		},
		"a revocation acknowledged without waiting": {
			file:   "gateway/redisstore/wait.go",
			before: "	return reply, s.wait(ctx, conn)\n",
			after: `	if sc.digest == s.scripts.revoke.digest {
		return reply, nil
	}
	return reply, s.wait(ctx, conn)
`,
			faults: failoversBehind,
			want:   "after an acknowledged revocation",
		},
		"a bulk revocation that finds nothing left acknowledged without waiting": {
			file:   "gateway/redisstore/bulk.go",
			before: "		if err := s.confirmAll(ctx, run.before); err != nil {\n",
			after:  "		if err := error(nil); err != nil {\n",
			faults: failoversBehind,
			want:   "after an acknowledged revocation",
		},
		"validity cached for a second": {
			file: "gateway/click.go",
			before: `	start := s.now()
	admission, err := s.clicks.Admit(ctx, a)
`,
			after: `	start := s.now()
	type cached struct {
		admission Admission
		until     time.Time
	}
	admission, err := Admission{}, error(nil)
	if known, ok := s.checks.planted.Load(a.ID); ok && start.Before(known.(cached).until) {
		admission = known.(cached).admission
	} else if admission, err = s.clicks.Admit(ctx, a); err == nil && admission.Outcome == OutcomeRedirected {
		s.checks.planted.Store(a.ID, cached{admission, start.Add(time.Second)})
	}
`,
			want: "after an acknowledged revocation",
		},
	}
}

// failoversBehind lets a replica that is behind take over, again and again. It orders the
// replica to: the vote of the cluster takes 3 s, and a failover shows the mistake only by
// chance, so there must be many of them.
func failoversBehind(n *nemesis, ctx context.Context) {
	pauseFor(ctx, 500*time.Millisecond)
	if ctx.Err() == nil {
		master, replica := n.victim()
		n.killBehind(ctx, master)
		n.node(replica).MustDo(n.t, "CLUSTER", "FAILOVER", "TAKEOVER")
		n.takesOver(replica)
		n.node(master).Start(n.t)
		n.mend()
	}
}

// TestHistoryCatchesBugs plants mistakes, one at a time, and wants the history to
// see each.
func TestHistoryCatchesBugs(t *testing.T) {
	for name, b := range bugs() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := installHistory(t, buildWith(t, b))
			r := newRecorder(h.gateways)
			n := h.nemesis(t)
			ctx, cancel := context.WithTimeout(t.Context(), 300*time.Second)
			defer cancel()
			wait := r.drive(ctx)
			for ctx.Err() == nil && r.seen() == "" {
				if b.faults != nil {
					b.faults(n, ctx)
				} else {
					pauseFor(ctx, 100*time.Millisecond)
				}
			}
			took := time.Since(r.begun)
			cancel()
			wait()
			violation := r.seen()
			// By chance porcupine sees it first, at a link that was paused.
			if !strings.Contains(violation, b.want) && !strings.HasPrefix(violation, "porcupine says Illegal") {
				t.Fatalf("after %s and %s it says %q, want %q", took.Round(time.Second), r.progress(), violation, b.want)
			}
			first, _, _ := strings.Cut(violation, "\n")
			t.Logf("caught after %s and %d operations: %s", took.Round(100*time.Millisecond), r.operations.Load(), first)
		})
	}
}

// seen returns the first violation, empty for none.
func (r *recorder) seen() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.violations) == 0 {
		return ""
	}
	return r.violations[0]
}

// buildWith builds the program with a mistake in it; the tree stays as it is.
func buildWith(t *testing.T, b bug) string {
	t.Helper()
	root, err := filepath.Abs("../../../..")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	replaced := map[string]string{}
	replace := func(file, before, after string) {
		t.Helper()
		path := filepath.Join(root, file)
		source, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Count(string(source), before) != 1 {
			t.Fatalf("%s does not have %q once: plant the mistake anew", file, before)
		}
		planted := filepath.Join(dir, strings.ReplaceAll(file, "/", "-"))
		if err := os.WriteFile(planted, []byte(strings.Replace(string(source), before, after, 1)), 0o600); err != nil {
			t.Fatal(err)
		}
		replaced[path] = planted
	}
	replace(b.file, b.before, b.after)
	if strings.Contains(b.after, "planted") {
		replace("gateway/check.go", "	mu sync.Mutex\n", "	planted sync.Map\n	mu sync.Mutex\n")
	}
	overlay, err := json.Marshal(map[string]any{"Replace": replaced})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "overlay.json"), overlay, 0o600); err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(dir, "keyhole")
	build := exec.Command("go", "build", "-overlay", filepath.Join(dir, "overlay.json"), "-o", program,
		"keyhole/cmd/keyhole")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build with the mistake: %v\n%s", err, out)
	}
	return program
}
