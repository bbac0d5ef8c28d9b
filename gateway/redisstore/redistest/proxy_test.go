package redistest

import (
	"bufio"
	"io"
	"net"
	"strings"
	"testing"
	"time"
)

// startEcho starts a server that answers each line with the line and "!".
func startEcho(t *testing.T) string {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer func() { _ = conn.Close() }()
				lines := bufio.NewScanner(conn)
				for lines.Scan() {
					if _, err := io.WriteString(conn, lines.Text()+"!\n"); err != nil {
						return
					}
				}
			}()
		}
	}()
	return listener.Addr().String()
}

// connection is a client of a proxy.
type connection struct {
	net.Conn

	in *bufio.Reader
}

func connect(t *testing.T, p *Proxy) connection {
	t.Helper()
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", p.Addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(doTimeout)); err != nil {
		t.Fatal(err)
	}
	return connection{conn, bufio.NewReader(conn)}
}

// say sends a line and returns the answer.
func (c connection) say(t *testing.T, line string) (string, error) {
	t.Helper()
	if _, err := io.WriteString(c, line+"\n"); err != nil {
		return "", err
	}
	answer, err := c.in.ReadString('\n')
	return strings.TrimSpace(answer), err
}

// hears fails the test unless the answer to a line is want.
func (c connection) hears(t *testing.T, line, want string) {
	t.Helper()
	if got, err := c.say(t, line); got != want || err != nil {
		t.Errorf("the answer to %q is %q, %v; want %q", line, got, err, want)
	}
}

// TestProxyForwards forwards both ways, counts connections, and delays replies.
func TestProxyForwards(t *testing.T) {
	p := StartProxy(t, startEcho(t))
	for range 3 {
		connect(t, p).hears(t, "hello", "hello!")
	}
	if n := p.Opened.Load(); n != 3 {
		t.Errorf("%d connections were counted, want 3", n)
	}
	const delay = 50 * time.Millisecond
	c := connect(t, p)
	p.Delay.Store(int64(delay))
	begun := time.Now()
	c.hears(t, "late", "late!")
	if took := time.Since(begun); took < delay {
		t.Errorf("the reply came after %v, want %v at least", took, delay)
	}
}

// TestProxyLoses drops the replies of scripts, and only those.
func TestProxyLoses(t *testing.T) {
	p := StartProxy(t, startEcho(t))
	p.Lose.Store(true)
	c := connect(t, p)
	c.hears(t, "get", "get!")
	if got, err := c.say(t, "evalsha"); err == nil {
		t.Errorf("the reply of a script is %q, want none", got)
	}
	if n := p.Lost.Load(); n != 1 {
		t.Errorf("%d replies were counted as lost, want 1", n)
	}
	p.Lose.Store(false)
	connect(t, p).hears(t, "evalsha", "evalsha!")
}

// TestProxyDoubles repeats the last reply before every second script.
func TestProxyDoubles(t *testing.T) {
	p := StartProxy(t, startEcho(t))
	p.Double.Store(2)
	c := connect(t, p)
	c.hears(t, "eval 1", "eval 1!")
	c.hears(t, "eval 2", "eval 1!")
	if answer, err := c.in.ReadString('\n'); err != nil || answer != "eval 2!\n" {
		t.Errorf("the second reply is %q, %v", answer, err)
	}
}

// TestProxySilent forwards nothing, and forwards again on a new connection.
func TestProxySilent(t *testing.T) {
	p := StartProxy(t, startEcho(t))
	c := connect(t, p)
	c.hears(t, "before", "before!")
	p.Silent.Store(true)
	if err := c.SetDeadline(time.Now().Add(100 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	if got, err := c.say(t, "into the void"); err == nil {
		t.Errorf("a silent proxy answered %q", got)
	}
	p.Silent.Store(false)
	p.HangUp()
	connect(t, p).hears(t, "after", "after!")
}

// TestProxyBehind drops the replication stream of a connection that asked for it, and no
// other replies.
func TestProxyBehind(t *testing.T) {
	p := StartProxy(t, startEcho(t))
	p.Behind.Store(true)
	client, replica := connect(t, p), connect(t, p)
	client.hears(t, "get", "get!")
	if err := replica.SetDeadline(time.Now().Add(100 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	if got, err := replica.say(t, "PSYNC ? -1"); err == nil {
		t.Errorf("a replica behind received %q", got)
	}
	client.hears(t, "get again", "get again!")
}

// TestReadReply reads every type of RESP2.
func TestReadReply(t *testing.T) {
	for reply, want := range map[string]string{
		"+OK\r\n":                         "OK",
		":-12\r\n":                        "-12",
		"$0\r\n\r\n":                      "",
		"$-1\r\n":                         "",
		"$6\r\na\r\nb\x00c\r\n":           "a\r\nb\x00c",
		"*0\r\n":                          "",
		"*3\r\n:1\r\n$1\r\nx\r\n+y\r\n":   "1\nx\ny",
		"*2\r\n*1\r\n:1\r\n*1\r\n$-1\r\n": "1\n",
	} {
		got, err := readReply(bufio.NewReader(strings.NewReader(reply)))
		if got != want || err != nil {
			t.Errorf("%q is read as %q, %v; want %q", reply, got, err, want)
		}
	}
	for _, broken := range []string{"", "+OK", "-ERR no\r\n", "$5\r\nab", "*2\r\n:1\r\n", "$x\r\n"} {
		if got, err := readReply(bufio.NewReader(strings.NewReader(broken))); err == nil {
			t.Errorf("%q is read as %q", broken, got)
		}
	}
}

// TestContains names what a reply lacks.
func TestContains(t *testing.T) {
	s := StartSingle(t)
	if err := contains(s, []string{"INFO", "replication"}, "role:master", "connected_slaves:0"); err != nil {
		t.Errorf("a reply with all parts: %v", err)
	}
	err := contains(s, []string{"INFO", "replication"}, "role:master", "role:slave")
	if err == nil || !strings.Contains(err.Error(), "role:slave") {
		t.Errorf("a reply without a part: %v", err)
	}
	if err := contains(s, []string{"NOSUCHCOMMAND"}, "x"); err == nil {
		t.Error("an unknown command has no error")
	}
}
