package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
)

// profiled makes a call. If the options ask for it, it records a profile of the core of
// the gateway and Redis meanwhile, including the kernel: much of a click's time is in
// the calls that read and write its connections. A profile costs time, so a run that makes
// profiles is not for comparisons.
func (b *bench) profiled(ctx context.Context, title string, call func() error) error {
	if b.o.profile == "" {
		return call()
	}
	if err := os.MkdirAll(b.o.profile, 0o750); err != nil {
		return err
	}
	name := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			return r
		}
		return '-'
	}, strings.ToLower(title))
	data := filepath.Join(b.o.profile, name+".data")
	// 999 times a second, not 1000, so that the samples do not follow a timer of the kernel.
	//nolint:gosec // Our own arguments.
	perf := exec.CommandContext(ctx, "perf", "record", "--quiet", "--freq", "999", "--event", "cpu-clock",
		"--cpu", b.o.core, "--call-graph", "fp", "--output", data)
	if err := perf.Start(); err != nil {
		return err
	}
	err := call()
	// SIGINT ends a recording properly; perf then exits with the status of that signal.
	err = errors.Join(err, perf.Process.Signal(syscall.SIGINT))
	_ = perf.Wait()
	if err != nil {
		return fmt.Errorf("perf: %w", err)
	}
	//nolint:gosec // Our own arguments.
	report, err := exec.CommandContext(ctx, "perf", "report", "--stdio", "--input", data, "--no-children",
		"--call-graph", "none", "--percent-limit", "0.3", "--sort", "comm,symbol").Output()
	if err != nil {
		return fmt.Errorf("perf report: %w", err)
	}
	return os.WriteFile(filepath.Join(b.o.profile, name+".txt"), report, 0o600)
}
