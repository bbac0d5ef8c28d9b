package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/redis/go-redis/v9"
)

// startTimeout bounds the wait for a server's first answer.
const startTimeout = 20 * time.Second

// process is one server, on one core: the measured cost is then the throughput, and the load
// takes no time from it.
type process struct {
	name  string
	cmd   *exec.Cmd
	log   string // the file of what it prints: nobody reads along on the load's core
	ended chan struct{}
}

// launch starts a program on a core. It has the given variables, and of this process only
// PATH.
func launch(o *options, core, program string, env []string, args ...string) (*process, error) {
	log, err := os.CreateTemp(o.scratch, "log")
	if err != nil {
		return nil, err
	}
	defer func() { _ = log.Close() }()
	p := &process{name: program, log: log.Name(), ended: make(chan struct{})}
	args = append([]string{"--cpu-list", core, program}, args...)
	p.cmd = exec.Command("taskset", args...) //nolint:gosec // Our own programs.
	p.cmd.Env = append([]string{"PATH=" + os.Getenv("PATH")}, env...)
	p.cmd.Stdout, p.cmd.Stderr = log, log
	// It must not outlive a benchmark that is killed.
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		_ = p.cmd.Wait() // What it ended with is in its log.
		close(p.ended)
	}()
	return p, nil
}

// stop kills the process and waits for its end. It may have ended before. No server of the
// benchmark has anything to save.
func (p *process) stop() {
	_ = p.cmd.Process.Kill()
	<-p.ended
}

// await calls ready until it returns no error. It stops the process if that takes longer
// than startTimeout. Errors have what the process printed, because its log is removed with
// the scratch directory.
func (p *process) await(ctx context.Context, ready func(context.Context) error) (err error) {
	defer func() {
		if err != nil {
			p.stop()
		}
	}()
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		if err = ready(ctx); err == nil {
			return nil
		}
		select {
		case <-p.ended:
			return fmt.Errorf("%s ended at once:\n%s", p.name, p.printed())
		case <-ctx.Done():
			return fmt.Errorf("%s does not answer: %w\n%s", p.name, err, p.printed())
		case <-tick.C:
		}
	}
}

// printed returns what the process has printed, or why that cannot be read. It is for errors.
func (p *process) printed() string {
	text, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// ticksPerSecond is the unit of times in /proc: USER_HZ, which is 100 on every
// architecture of Linux that Go runs on.
const ticksPerSecond = 100

// cpu returns the processor time of several processes together.
func cpu(processes []*process) (total time.Duration, _ error) {
	for _, p := range processes {
		had, err := p.cpu()
		if err != nil {
			return 0, err
		}
		total += had
	}
	return total, nil
}

// cpu returns the processor time of the process in user and kernel mode (proc(5), fields 14
// and 15 of stat).
func (p *process) cpu() (time.Duration, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	// The name of the program is in parentheses and may contain blanks.
	_, rest, _ := strings.Cut(string(text), ") ")
	fields := strings.Fields(rest)
	if len(fields) < 13 {
		return 0, errors.New("/proc/PID/stat is too short")
	}
	var ticks int64
	for _, field := range fields[11:13] {
		n, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return 0, err
		}
		ticks += n
	}
	return time.Duration(ticks) * time.Second / ticksPerSecond, nil
}

// memory returns the peak resident memory of the process in MiB (proc(5), VmHWM of status,
// which is in KiB).
func (p *process) memory() (float64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	_, rest, _ := strings.Cut(string(text), "VmHWM:")
	rest, _, _ = strings.Cut(rest, "kB")
	kib, err := strconv.ParseInt(strings.TrimSpace(rest), 10, 64)
	return float64(kib) / 1024, err
}

// scriptCalls returns how often scripts were called by their digest on the nodes of a Redis.
// Keyhole loads its scripts once and uses EVALSHA for every click.
func scriptCalls(ctx context.Context, addresses []string) (total int64, _ error) {
	for _, address := range addresses {
		client := redis.NewClient(&redis.Options{Addr: address})
		text, err := client.Info(ctx, "commandstats").Result()
		if err := errors.Join(err, client.Close()); err != nil {
			return 0, err
		}
		_, stats, found := strings.Cut(text, "cmdstat_evalsha:calls=")
		if !found {
			continue
		}
		digits, _, _ := strings.Cut(stats, ",")
		calls, err := strconv.ParseInt(digits, 10, 64)
		if err != nil {
			return 0, err
		}
		total += calls
	}
	return total, nil
}

// The ports of servers. Linux chooses others for sockets that ask for any port (ip(7),
// ip_local_port_range), so no client and hardly a server takes one by chance.
const (
	firstPort = 20_000
	lastPort  = 32_767
)

// freeAddress returns a loopback address that nobody listens on. A process that asks for the
// same port could take it before the server starts; then the server ends, and await says so.
func freeAddress() (address string, err error) {
	for range 100 {
		port := firstPort + rand.IntN(lastPort-firstPort+1) //nolint:gosec // Chance, not a secret.
		var l net.Listener
		l, err = net.Listen("tcp", "127.0.0.1:"+strconv.Itoa(port)) //nolint:noctx // Loopback.
		if err == nil {
			return l.Addr().String(), l.Close()
		}
	}
	return "", err
}

// listening reports whether a server listens at an address. That is enough for servers that
// listen when they can answer.
func listening(address string) func(context.Context) error {
	return func(ctx context.Context) error {
		c, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
		if err != nil {
			return err
		}
		return c.Close()
	}
}

// ready reports whether a gateway's /readyz says that it is ready: it listens earlier, while
// it still connects to Redis and checks its storage.
func ready(operator string) func(context.Context) error {
	return func(ctx context.Context) error {
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+operator+"/readyz", http.NoBody)
		if err != nil {
			return err
		}
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			return err
		}
		defer func() { _ = answer.Body.Close() }()
		if answer.StatusCode != http.StatusOK {
			return errors.New(answer.Status)
		}
		return nil
	}
}

// startStorage starts an S3 server that verifies signatures, on the load's core: its work is
// no part of a click's cost, but it answers the HEAD requests that check a pinned object.
func startStorage(ctx context.Context, o *options) (_ *process, endpoint string, _ error) {
	address, err := freeAddress()
	if err != nil {
		return nil, "", err
	}
	dir, err := os.MkdirTemp(o.scratch, "storage")
	if err != nil {
		return nil, "", err
	}
	for _, name := range []string{"/data", "/iam"} {
		if err := os.Mkdir(dir+name, 0o700); err != nil {
			return nil, "", err
		}
	}
	p, err := launch(o, o.loadCore, o.versitygw, []string{"ROOT_ACCESS_KEY=" + accessKey, "ROOT_SECRET_KEY=" + secretKey},
		"--port", address, "--region", region, "--iam-dir", dir+"/iam", "--quiet", "posix", dir+"/data")
	if err != nil {
		return nil, "", err
	}
	return p, "http://" + address, p.await(ctx, listening(address))
}
