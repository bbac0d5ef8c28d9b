package gateway

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// statOf asks c for an object of the storage.
func statOf(t *testing.T, c *checks, storage *Storage, key string) (ObjectInfo, error) {
	t.Helper()
	return c.stat(t.Context(), storage, &ObjectRef{"main", "reports", key}, "")
}

func TestChecksAreRemembered(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		keep  time.Duration
		err   error
		waits []time.Duration // before each question
		want  []int           // questions to the storage after each
	}{
		{
			"found", 5 * time.Second, nil,
			[]time.Duration{0, 4 * time.Second, time.Second - 1, 1, time.Second},
			[]int{1, 1, 1, 2, 2},
		},
		{
			"gone is an answer too", 5 * time.Second, ErrObjectNotFound,
			[]time.Duration{0, 4 * time.Second, time.Second},
			[]int{1, 1, 2},
		},
		{
			"archived is an answer too", 5 * time.Second, ErrObjectArchived,
			[]time.Duration{0, 4 * time.Second, time.Second},
			[]int{1, 1, 2},
		},
		{"a failure is none", 5 * time.Second, ErrUnavailable, []time.Duration{0, 0, 0}, []int{1, 2, 3}},
		{"a refusal is none", 5 * time.Second, ErrObjectNotReadable, []time.Duration{0, 0}, []int{1, 2}},
		{"never", 0, nil, []time.Duration{0, 0, 0}, []int{1, 2, 3}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			now := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
			objects := &stubObjects{info: ObjectInfo{ETag: `"e"`}, err: tt.err}
			storage := &Storage{Objects: objects}
			c := newChecks(tt.keep, func() time.Time { return now })
			for i, wait := range tt.waits {
				now = now.Add(wait)
				info, err := statOf(t, c, storage, "a")
				if !errors.Is(err, tt.err) || tt.err == nil && (err != nil || info.ETag != `"e"`) {
					t.Errorf("question %d: got %+v, %v", i, info, err)
				}
				if n := len(objects.stats()); n != tt.want[i] {
					t.Errorf("after question %d: the storage was asked %d times, want %d", i, n, tt.want[i])
				}
			}
		})
	}
}

// TestChecksShareOneRequest asks about one object a hundred times at once: the storage
// gets one request, and a caller who leaves ends it for nobody else.
func TestChecksShareOneRequest(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		objects := &stubObjects{info: ObjectInfo{ETag: `"e"`}, wait: func() { <-release }}
		storage := &Storage{Objects: objects}
		c := newChecks(5*time.Second, time.Now)
		hasty, leave := context.WithCancel(t.Context())
		go func() {
			if _, err := c.stat(hasty, storage, &ObjectRef{"main", "reports", "a"}, ""); !errors.Is(err, ErrUnavailable) {
				t.Errorf("who leaves gets %v", err)
			}
		}()
		synctest.Wait()
		var served atomic.Int32
		for range 100 {
			go func() {
				if info, err := statOf(t, c, storage, "a"); err == nil && info.ETag == `"e"` {
					served.Add(1)
				}
			}()
		}
		leave()
		synctest.Wait()
		close(release)
		synctest.Wait()
		if served.Load() != 100 || len(objects.stats()) != 1 {
			t.Errorf("%d served by %d questions, want 100 by one", served.Load(), len(objects.stats()))
		}
	})
}

// TestChecksDoNotJoinTheOld lets a request hang for longer than its answer is remembered:
// later checks do not wait for it, because its answer may be outdated.
func TestChecksDoNotJoinTheOld(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		var asked atomic.Int32
		objects := &stubObjects{info: ObjectInfo{ETag: `"e"`}}
		objects.wait = func() {
			if asked.Add(1) == 1 {
				<-release
			}
		}
		storage := &Storage{Objects: objects}
		c := newChecks(time.Second, time.Now)
		go statOf(t, c, storage, "a") //nolint:errcheck // it is the one that hangs
		synctest.Wait()
		time.Sleep(time.Second) // the bubble's clock
		if _, err := statOf(t, c, storage, "a"); err != nil || len(objects.stats()) != 2 {
			t.Errorf("got %v after %d questions, want an answer by the second", err, len(objects.stats()))
		}
		close(release)
		synctest.Wait()
	})
}

// However many objects are asked for, a bounded number is remembered.
func TestChecksAreBounded(t *testing.T) {
	t.Parallel()
	c := newChecks(time.Hour, func() time.Time { return time.Time{} })
	storage := &Storage{Objects: &stubObjects{}}
	for i := range 5 * maxChecks {
		if _, err := statOf(t, c, storage, fmt.Sprint(i)); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(c.young) + len(c.old); n > 2*maxChecks || n < maxChecks {
		t.Errorf("%d are remembered, want %d to %d", n, maxChecks, 2*maxChecks)
	}
}

func TestChecksTellVersionsAndStoragesApart(t *testing.T) {
	t.Parallel()
	objects := &stubObjects{versions: map[string]ObjectInfo{"v1": {}, "v2": {}}}
	storage := &Storage{Objects: objects}
	c := newChecks(time.Hour, time.Now)
	for _, ref := range []ObjectRef{
		{"main", "reports", "a"}, {"other", "reports", "a"}, {"main", "reportsa", ""}, {"main", "reports", "b"},
	} {
		for _, version := range []string{"", "v1", "v2"} {
			for range 2 {
				if _, err := c.stat(t.Context(), storage, &ref, version); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	if n := len(objects.stats()); n != 12 {
		t.Errorf("asked %d times, want once for each of 12", n)
	}
}
