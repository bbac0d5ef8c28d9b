package inprocess

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"
)

// dialRedis starts Redis and connects to it. Both end with the test.
func dialRedis(t *testing.T) net.Conn {
	t.Helper()
	redis, err := StartRedis()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(redis.Close)
	c, err := net.Dial("tcp", redis.Addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() }) // the test is over
	if err := c.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return c
}

// Redis answers PING, and INFO and ROLE as a master that evicts nothing and uses memory.
func TestStartRedis(t *testing.T) {
	t.Parallel()
	c := dialRedis(t)
	if _, err := fmt.Fprint(c, "*1\r\n$4\r\nPING\r\n*1\r\n$4\r\nROLE\r\n*1\r\n$4\r\nINFO\r\n"); err != nil {
		t.Fatal(err)
	}
	var said strings.Builder
	lines := bufio.NewScanner(c)
	for lines.Scan() && !strings.Contains(said.String(), "rdb_last_save_time") {
		said.WriteString(lines.Text() + "\n")
	}
	for _, want := range []string{"+PONG", "master", "maxmemory_policy:noeviction"} {
		if !strings.Contains(said.String(), want) {
			t.Errorf("it does not say %q: %s", want, said.String())
		}
	}
	if used := regexp.MustCompile(`\nused_memory:\d{5,}\n`); !used.MatchString(said.String()) {
		t.Errorf("it does not say how much memory it uses: %s", said.String())
	}
}

// The S3 server delivers nothing without a signature, and none of its addresses and
// secrets repeat.
func TestStartS3(t *testing.T) {
	t.Parallel()
	objects := []Object{{Bucket: "reports", Key: "a.txt", Content: []byte("x"), Modified: time.Unix(1e9, 0)}}
	first, err := StartS3(t.Context(), "127.0.0.1:0", []string{"reports"}, objects)
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close()
	second, err := StartS3(t.Context(), "127.0.0.1:0", nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer second.Close()
	if first.Secret == second.Secret || first.AccessKey == second.AccessKey || first.Address == second.Address {
		t.Error("two servers share secrets or addresses")
	}
	response, err := http.Get("http://" + first.Address + "/reports/a.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusForbidden {
		t.Errorf("without a signature: %d", response.StatusCode)
	}
	if _, err := StartS3(t.Context(), first.Address, nil, nil); err == nil ||
		!strings.Contains(err.Error(), "listen on "+first.Address) {
		t.Errorf("on an address in use: %v", err)
	}
	if _, err := StartS3(t.Context(), "127.0.0.1:0", nil, objects); err == nil {
		t.Error("an object without its bucket is accepted")
	}
}

func TestContentType(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"a.html": "text/html; charset=utf-8", "a": "application/octet-stream",
		"a.unheardof": "application/octet-stream",
	} {
		if got := contentType(name); got != want {
			t.Errorf("%s: got %s, want %s", name, got, want)
		}
	}
}

// The Redis in this process runs what the service needs of a real one: scripts, and keys
// that expire by the clock.
func TestRedisRunsScripts(t *testing.T) {
	t.Parallel()
	c := dialRedis(t)
	lines := bufio.NewScanner(c)
	const script = `return redis.call("SET",KEYS[1],1)`
	for command, want := range map[string]string{
		fmt.Sprintf("*4\r\n$4\r\nEVAL\r\n$%d\r\n%s\r\n$1\r\n1\r\n$1\r\nk\r\n", len(script), script): "+OK",
		"*1\r\n$4\r\nPING\r\n": "+PONG",
	} {
		if _, err := fmt.Fprint(c, command); err != nil {
			t.Fatal(err)
		}
		if !lines.Scan() || lines.Text() != want {
			t.Errorf("%q: got %q", command, lines.Text())
		}
	}
}

// The memory that INFO reports contains the data of Redis.
func TestRedisReportsItsMemory(t *testing.T) {
	t.Parallel()
	c := dialRedis(t)
	const size = 8 << 20
	if _, err := fmt.Fprintf(c, "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$%d\r\n%s\r\n*1\r\n$4\r\nINFO\r\n", size,
		strings.Repeat("x", size)); err != nil {
		t.Fatal(err)
	}
	var used int
	for lines := bufio.NewScanner(c); used == 0 && lines.Scan(); {
		_, _ = fmt.Sscanf(lines.Text(), "used_memory:%d", &used) // other lines do not match
	}
	if used < size {
		t.Errorf("it uses %d bytes with %d bytes of data", used, size)
	}
}
