//go:build system

package system

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// An attack runs in a process of its own, so that its clients take no descriptors and no
// memory from the test, and have a lower priority while clicks are measured: with two
// processors they would otherwise compete with the clients that click.

// attackVariable has the plan of a process that attacks, as JSON.
const attackVariable = "KEYHOLE_TEST_ATTACK"

// attackPlan says what an attacking process does.
type attackPlan struct {
	Attack      string // its name in attacks
	Target      string // host:port
	Path        string // of requests that are answered
	Connections int
	Addresses   int // of the clients, 127.1.0.1 and those behind it
	// Rate bounds the steps of the attack in a second, over all connections. A step is one
	// frame, one stream, or one byte. 0: no bound.
	Rate float64
}

// attackState is what an attacking process has done so far.
type attackState struct {
	Opened  int64 // connections, ever
	Open    int64 // connections
	Closed  int64 // by the service
	Refused int64 // connections that could not be opened
	Steps   int64
}

// attacker is an attacking process from inside.
type attacker struct {
	attackPlan

	opened, open, closed, refused, steps atomic.Int64
	dials, pace                          pacer
}

// pacer spreads steps evenly over time. The zero value does not wait.
type pacer struct {
	each time.Duration // from one step to the next

	mu   sync.Mutex
	next time.Time
}

// setRate sets the steps in a second; 0: no bound.
func (p *pacer) setRate(rate float64) {
	if rate > 0 {
		p.each = time.Duration(float64(time.Second) / rate)
	}
}

// wait returns when n more steps may be done. Steps that nobody did are lost after 50 ms.
func (p *pacer) wait(ctx context.Context, n int) error {
	if p.each == 0 {
		return ctx.Err()
	}
	p.mu.Lock()
	if earliest := time.Now().Add(-50 * time.Millisecond); p.next.Before(earliest) {
		p.next = earliest
	}
	at := p.next
	p.next = at.Add(time.Duration(n) * p.each)
	p.mu.Unlock()
	timer := time.NewTimer(time.Until(at))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// attackMain runs an attack until standard input ends, and prints its state every 50 ms.
func attackMain(plan string) int {
	a := &attacker{}
	if err := json.Unmarshal([]byte(plan), &a.attackPlan); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	run := attacks()[a.Attack]
	if run == nil {
		fmt.Fprintln(os.Stderr, "there is no attack", a.Attack)
		return 1
	}
	// A single address has 28,000 ports, and each is blocked for a minute after its use.
	a.dials.setRate(float64(min(2000, 300*a.Addresses)))
	a.pace.setRate(a.Rate)
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	for i := range a.Connections {
		go a.attackFrom(ctx, i, run)
	}
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		stop()
	}()
	out := json.NewEncoder(os.Stdout)
	for ticker := time.NewTicker(50 * time.Millisecond); ctx.Err() == nil; <-ticker.C {
		if err := out.Encode(a.state()); err != nil {
			return 1
		}
	}
	return 0 // The kernel closes the connections.
}

// state returns what the attack has done so far.
func (a *attacker) state() attackState {
	return attackState{
		Opened: a.opened.Load(), Open: a.open.Load(), Closed: a.closed.Load(), Refused: a.refused.Load(),
		Steps: a.steps.Load(),
	}
}

// attackFrom is client i: it connects again whenever the service closes its connection.
func (a *attacker) attackFrom(ctx context.Context, i int, run func(context.Context, *attacker, net.Conn) error) {
	from := i % a.Addresses
	dialer := net.Dialer{
		LocalAddr: &net.TCPAddr{IP: net.ParseIP(fmt.Sprintf("127.1.%d.%d", from/250, 1+from%250))},
		Control:   smallBuffer, Timeout: 5 * time.Second,
	}
	for a.dials.wait(ctx, 1) == nil {
		c, err := dialer.DialContext(ctx, "tcp", a.Target)
		if err != nil {
			a.refused.Add(1)
			continue
		}
		a.opened.Add(1)
		a.open.Add(1)
		_ = run(ctx, a, c) // Whatever ends it, the service closed the connection.
		_ = c.Close()
		a.open.Add(-1)
		a.closed.Add(1)
	}
}

// step waits until the attack may do n more steps, and counts them.
func (a *attacker) step(ctx context.Context, n int) error {
	err := a.pace.wait(ctx, n)
	if err == nil {
		a.steps.Add(int64(n))
	}
	return err
}

// attack is an attacking process from outside.
type attack struct {
	t       *testing.T
	command *exec.Cmd
	stdin   io.Closer
	ended   chan struct{}

	mu    sync.Mutex
	state attackState
}

// startAttack starts an attack that ends with the test.
func startAttack(t *testing.T, plan attackPlan) *attack {
	t.Helper()
	text, err := json.Marshal(plan)
	if err != nil {
		t.Fatal(err)
	}
	a := &attack{t: t, command: exec.Command(os.Args[0]), ended: make(chan struct{})}
	a.command.Env = append(os.Environ(), attackVariable+"="+string(text), "GOGC=400")
	a.command.Stderr = os.Stderr
	a.command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setsid: true}
	out, err := a.command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if a.stdin, err = a.command.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := a.command.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(a.ended)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			a.mu.Lock()
			err := json.Unmarshal(lines.Bytes(), &a.state)
			a.mu.Unlock()
			if err != nil {
				t.Error(err)
			}
		}
		_ = a.command.Wait() // It is killed by its end.
	}()
	t.Cleanup(a.stop)
	return a
}

// lowerPriority gives the attacking process, which leads a session, less processor time than the service:
// a third of the share of its session, because Linux divides the time between sessions first
// (sched(7), autogroup).
func (a *attack) lowerPriority() {
	pid, t := a.command.Process.Pid, a.t
	t.Helper()
	lower := exec.Command("chrt", "--all-tasks", "--idle", "--pid", "0", fmt.Sprint(pid))
	if text, err := lower.CombinedOutput(); err != nil {
		t.Errorf("lower the priority of the attack: %v: %s", err, text)
	}
	err := os.WriteFile(fmt.Sprintf("/proc/%d/autogroup", pid), []byte("5"), 0)
	if err != nil && !errors.Is(err, fs.ErrNotExist) { // The kernel has no groups.
		t.Errorf("lower the priority of the attack: %v", err)
	}
}

// now returns what the attack has done so far.
func (a *attack) now() attackState {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.state
}

// stop ends the attack.
func (a *attack) stop() {
	_ = a.stdin.Close() // It may have ended.
	select {
	case <-a.ended:
	case <-time.After(5 * time.Second):
		_ = a.command.Process.Kill()
		<-a.ended
	}
}
