package gateway

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// The tokens of a seed are the same in every version, because a repeat may reach a gateway
// of another version.
func TestDerivedTokens(t *testing.T) {
	t.Parallel()
	const seed = "4uQeVj5tqViQh7yWWGStvk"
	seen := map[string]bool{seed: true}
	for i := range MaxBatch {
		token, err := deriveToken(seed, i)
		again, _ := deriveToken(seed, i)
		if err != nil || !ValidToken(token) || seen[token] || again != token {
			t.Fatalf("token %d: %q, %v", i, token, err)
		}
		seen[token] = true
	}
	if token, err := deriveToken(seed, 7); err != nil || token != goldenToken {
		t.Errorf("token 7 is %q, %v, want %q", token, err, goldenToken)
	}
}

// goldenToken is token 7 of the seed in TestDerivedTokens.
const goldenToken = "ybQzXu1yY8QeS7bB3G4bta"

// slowObjects is a storage that holds each proof until all that may run at once have
// begun, and counts them.
type slowObjects struct {
	*stubObjects

	running, most atomic.Int64
	all           chan struct{}
	once          sync.Once
}

func (o *slowObjects) Prove(ctx context.Context, _, key, _ string) (ObjectInfo, error) {
	n := o.running.Add(1)
	defer o.running.Add(-1)
	for most := o.most.Load(); n > most && !o.most.CompareAndSwap(most, n); most = o.most.Load() {
	}
	if n == batchParallel {
		o.once.Do(func() { close(o.all) })
	}
	if strings.HasPrefix(key, "first") { // the first ones wait for each other
		select {
		case <-o.all:
		case <-ctx.Done():
		}
	}
	if key == "panics" {
		panic("a secret-canary")
	}
	return ObjectInfo{}, ErrObjectNotFound
}

// A batch asks the storage for several objects at once, but never for more than
// batchParallel. A panic fails one link only.
func TestBatchIsBounded(t *testing.T) {
	t.Parallel()
	objects := &slowObjects{all: make(chan struct{})}
	f := newFixture(t, func(o *Options) {
		for _, storage := range o.Storages {
			storage.Objects = objects
		}
	})
	var links []IssueRequest
	for range batchParallel {
		links = append(links, IssueRequest{Bucket: "exports", Key: "first"})
	}
	links = append(links, IssueRequest{Bucket: "exports", Key: "panics"})
	for range 20 {
		links = append(links, IssueRequest{Bucket: "exports", Key: "later"})
	}
	results, err := f.service.IssueBatch(t.Context(), everything(), &BatchRequest{Links: links})
	if err != nil || len(results) != len(links) {
		t.Fatalf("%d results, %v", len(results), err)
	}
	for i, r := range results {
		if panicked := i == batchParallel; errors.Is(r.Err, errBatchPanic) != panicked ||
			!panicked && !errors.Is(r.Err, ErrObjectNotFound) {
			t.Errorf("link %d: %v", i, r.Err)
		}
	}
	if most := objects.most.Load(); most != batchParallel {
		t.Errorf("%d proofs at once, want %d", most, batchParallel)
	}
}

// When the time of the request is over, the links that are left are not issued.
func TestBatchOutOfTime(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	results, err := f.service.IssueBatch(ctx, everything(), &BatchRequest{
		Links: slices.Repeat([]IssueRequest{{Bucket: "exports", Key: "a"}}, 3),
	})
	if err != nil || len(f.store.created) != 0 {
		t.Fatalf("%d links, %v", len(f.store.created), err)
	}
	for _, r := range results {
		wantCode(t, r.Err, CodeUnavailable)
	}
}
