package localredis

import (
	"context"
	"errors"
	"net"
	"regexp"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// askTimeout bounds one question to Redis, including its connection.
const askTimeout = time.Second

// ask sends one command over a connection of its own and returns the answer, a status or a
// text. It does not retry: a caller that waits for Redis asks again.
func ask(ctx context.Context, socket string, command ...any) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	// go-redis would log each failure to connect, and waitReady asks until Redis listens.
	conn, err := (&net.Dialer{}).DialContext(ctx, "unix", socket)
	if err != nil {
		return "", err
	}
	defer func() { _ = conn.Close() }() // go-redis may have closed it
	client := redis.NewClient(&redis.Options{
		Network: "unix", Addr: socket, Username: Username, Password: Password,
		Dialer:   func(context.Context, string, string) (net.Conn, error) { return conn, nil },
		Protocol: 2, DisableIdentity: true,
		PoolSize: 1, PipelinePoolSize: -1, MaxRetries: -1, DialerRetries: 1,
		ContextTimeoutEnabled: true, DialTimeout: askTimeout, ReadTimeout: askTimeout, WriteTimeout: askTimeout,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	})
	defer func() { _ = client.Close() }() // no command is running
	return client.Do(ctx, command...).Text()
}

// processLine matches the process ID in the answer to INFO server.
var processLine = regexp.MustCompile(`(?m)^process_id:([0-9]+)\r?$`)

// processOf returns the ID of the process behind a socket.
func processOf(ctx context.Context, socket string) (int, error) {
	text, err := ask(ctx, socket, "INFO", "server")
	if err != nil {
		return 0, err
	}
	found := processLine.FindStringSubmatch(text)
	if found == nil {
		return 0, errors.New("redis does not report its process ID")
	}
	return strconv.Atoi(found[1])
}
