package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"strconv"
	"sync"
	"time"
)

// wrk is a load of connections that send the next request at once after an answer. They are
// distributed over the addresses.
type wrk struct {
	addresses            []string
	script, file, method string
	forwarded, page      bool
	connections          int
	refused              bool // every answer is to be of 400 and above
}

// wrkResult is what wrk.lua prints; times in microseconds. Refused counts answers of 400 and
// above, Failed counts connections that broke and answers that took too long.
type wrkResult struct {
	Requests     int64 `json:"requests"`
	Refused      int64 `json:"refused"`
	Failed       int64 `json:"failed"`
	Microseconds int64 `json:"microseconds"`
	P50          int64 `json:"p50"`
	P99          int64 `json:"p99"`
}

func (r *wrkResult) p50() time.Duration { return time.Duration(r.P50) * time.Microsecond }
func (r *wrkResult) p99() time.Duration { return time.Duration(r.P99) * time.Microsecond }

// run sends requests for a duration. A wrong answer is an error. With several addresses,
// the latency is that of the slowest one.
func (w *wrk) run(ctx context.Context, d time.Duration) (all wrkResult, _ error) {
	results, errs := make([]wrkResult, len(w.addresses)), make([]error, len(w.addresses))
	var asking sync.WaitGroup
	for i, address := range w.addresses {
		asking.Go(func() { results[i], errs[i] = w.ask(ctx, address, d) })
	}
	asking.Wait()
	for _, r := range results {
		all.Requests += r.Requests
		all.Microseconds = max(all.Microseconds, r.Microseconds)
		all.P50, all.P99 = max(all.P50, r.P50), max(all.P99, r.P99)
	}
	return all, errors.Join(errs...)
}

// ask is one call of the load generator, with one thread, as it has one core. wrk prints its
// own report first; the last line is the result of wrk.lua.
func (w *wrk) ask(ctx context.Context, address string, d time.Duration) (r wrkResult, err error) {
	args := []string{
		"--threads", "1", "--connections", strconv.Itoa(w.connections / len(w.addresses)), "--duration",
		strconv.Itoa(max(int(d.Seconds()), 1)) + "s",
		"--latency", "--script", w.script, "http://" + address, "--", w.file, w.method,
	}
	if w.forwarded {
		args = append(args, "forwarded")
	}
	if w.page {
		args = append(args, acceptPage, acceptLanguage)
	}
	output, err := exec.CommandContext(ctx, "wrk", args...).CombinedOutput() //nolint:gosec // Our own arguments.
	if err != nil {
		return r, fmt.Errorf("wrk: %w\n%s", err, output)
	}
	_, printed, found := bytes.Cut(output, []byte("RESULT "))
	if !found {
		return r, fmt.Errorf("wrk printed no result:\n%s", output)
	}
	if err := json.Unmarshal(printed, &r); err != nil {
		return r, fmt.Errorf("read what wrk printed: %w", err)
	}
	want := int64(0)
	if w.refused {
		want = r.Requests
	}
	if r.Requests == 0 || r.Failed > 0 || r.Refused != want {
		return r, fmt.Errorf("wrk: of %d requests %d failed, %d were answered with 400 and above, not %d", r.Requests,
			r.Failed, r.Refused, want)
	}
	return r, nil
}
