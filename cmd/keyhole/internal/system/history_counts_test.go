//go:build system

package system

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// pauseFor lets time pass between two operations of one client, as clients do.
func pauseFor(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

// table writes the counts of operations by kind and answer.
func (r *recorder) table() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var b strings.Builder
	b.WriteString("| operation | answer | count |\n| --- | --- | --- |\n")
	for _, kind := range []string{opIssue, opClick, opPage, opPost, opRevoke, opBulk, opPause, opUnlock, opExpire} {
		for _, answer := range slices.Sorted(maps.Keys(r.answers[kind])) {
			fmt.Fprintf(&b, "| %s | `%s` | %d |\n", kind, answer, r.answers[kind][answer])
		}
	}
	return b.String()
}
