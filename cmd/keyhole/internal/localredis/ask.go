package localredis

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// askTimeout bounds one question to Redis.
const askTimeout = time.Second

// errLoading means that Redis still reads its data.
var errLoading = errors.New("redis is loading its data")

// ask sends one command without arguments of users and returns its answer, a line or a
// text. The package needs two commands, so it needs no client.
func ask(ctx context.Context, socket, command string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	conn, err := (&net.Dialer{}).DialContext(ctx, "unix", socket)
	if err != nil {
		return "", err
	}
	defer func() { _ = conn.Close() }()
	deadline, _ := ctx.Deadline()
	if err := conn.SetDeadline(deadline); err != nil {
		return "", err
	}
	if _, err := fmt.Fprintf(conn, "AUTH %s %s\r\n%s\r\n", Username, Password, command); err != nil {
		return "", err
	}
	in := bufio.NewReader(conn)
	if _, err := reply(in); err != nil {
		return "", err
	}
	return reply(in)
}

// reply reads one reply.
func reply(in *bufio.Reader) (string, error) {
	line, err := in.ReadString('\n')
	if err != nil {
		return "", err
	}
	line = strings.TrimRight(line, "\r\n")
	switch {
	case strings.HasPrefix(line, "-LOADING"):
		return "", errLoading
	case strings.HasPrefix(line, "+"):
		return line[1:], nil
	case strings.HasPrefix(line, "$"):
		n, err := strconv.Atoi(line[1:])
		if err != nil || n < 0 || n > 1<<20 {
			return "", fmt.Errorf("an unexpected reply of Redis: %q", line)
		}
		text := make([]byte, n)
		_, err = io.ReadFull(in, text)
		return string(text), err
	}
	return "", fmt.Errorf("an unexpected reply of Redis: %q", line)
}

// processLine matches the process id in the answer to INFO server.
var processLine = regexp.MustCompile(`(?m)^process_id:([0-9]+)\r?$`)

// processOf returns the id of the process behind a socket.
func processOf(ctx context.Context, socket string) (int, error) {
	text, err := ask(ctx, socket, "INFO server")
	if err != nil {
		return 0, err
	}
	found := processLine.FindStringSubmatch(text)
	if found == nil {
		return 0, errors.New("redis does not say its process id")
	}
	return strconv.Atoi(found[1])
}
