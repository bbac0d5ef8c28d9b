package config

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"
)

// The limits of sessions of the console.
const (
	minSession = time.Second
	maxIdle    = 24 * time.Hour
	maxSession = 720 * time.Hour
)

// console checks the sessions of the console, and how browsers reach it.
func (k *checker) console(c *Config) {
	k.between("console.idle", c.Console.Idle, minSession, maxIdle)
	k.between("console.max", c.Console.Max, minSession, maxSession)
	if idle, longest := c.Console.Idle, c.Console.Max; idle > longest && longest >= minSession {
		k.problem("console.idle", "is %s; the limit is console.max, which is %s", durationText(idle), durationText(longest))
	}
	for i, host := range c.Operator.Hosts {
		path := fmt.Sprintf("operator.hosts[%d]", i)
		if _, err := normalConsoleHost(host); err != nil {
			k.problem(path, "%s", err)
		} else if slices.Index(c.Operator.Hosts, host) < i {
			k.problem(path, "is listed twice")
		}
	}
	if c.Operator.ClearText() && c.Operator.URL == "" {
		k.warn(WarnHTTPOperator, "operator.listen", "operators on other machines send their keys unencrypted over http; "+
			"set operator.tls, or operator.url if a proxy with https is in front of this listener")
	}
}

// normalConsoleHost returns the normal form of a name of the console: in lower case, an
// international name in ASCII, with the port if one is stated.
func normalConsoleHost(host string) (string, error) {
	if host == "" {
		return "", errors.New("is empty: set a name such as keyhole.internal.example.com")
	}
	if strings.ContainsAny(host, "/@?#*") || hasControl(host) {
		return "", errors.New("must be a host, or host:port, without scheme and path")
	}
	name, port, err := net.SplitHostPort(host)
	if err != nil {
		name, port = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]"), ""
	}
	normal, err := normalHost(name)
	if err != nil {
		return "", err
	}
	// No scheme is known, so no port is implied.
	if port, err = normalPort("", port); err != nil {
		return "", err
	}
	return normal + port, nil
}

// ClearText reports whether operators on other machines reach the listener over plain http:
// by url, or if url is empty, by the address in listen.
func (o *Operator) ClearText() bool {
	if o.URL != "" {
		return clearText(o.URL)
	}
	host, _, err := net.SplitHostPort(o.Listen)
	if err != nil || o.TLS.CertFile != "" {
		return false
	}
	address, err := listenAddr(host)
	return err != nil || !address.IsLoopback()
}
