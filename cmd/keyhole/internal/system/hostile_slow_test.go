//go:build system

package system

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"maps"
	"net"
	"os"
	"strings"
	"time"
)

// slowly is the time from one byte of a slow client to the next. It is shorter than every
// time limit of the service.
const slowly = 3 * time.Second

// run is one connection of an attack. It returns when the service has closed it.
type run func(context.Context, *attacker, net.Conn) error

// attacks returns all attacks by name. Those whose names begin with h2 or tls need TLS.
func attacks() map[string]run {
	all := map[string]run{
		"slow header":        slowHeader,
		"slow body":          slowBody,
		"idle":               idle,
		"silent":             func(ctx context.Context, a *attacker, c net.Conn) error { return a.drip(ctx, c, nil) },
		"slow read":          slowRead,
		"tls slow handshake": slowHandshake,
		"tls slow header":    overTLS(slowHeader, "http/1.1"),
		"tls idle":           overTLS(idle, "http/1.1"),
	}
	maps.Copy(all, attacksOfHTTP2())
	return all
}

// overTLS lets an attack begin with a handshake.
func overTLS(of run, protocol string) run {
	return func(ctx context.Context, a *attacker, c net.Conn) error {
		encrypted := tls.Client(c, &tls.Config{
			InsecureSkipVerify: true, NextProtos: []string{protocol}, MinVersion: tls.VersionTLS12,
			// Like attackers, it saves its own time.
			CurvePreferences: []tls.CurveID{tls.X25519},
		})
		handshake, cancel := context.WithTimeout(ctx, 10*time.Second)
		defer cancel()
		if err := encrypted.HandshakeContext(handshake); err != nil {
			return err
		}
		return of(ctx, a, encrypted)
	}
}

// drip sends text, a byte at a time, and then nothing.
func (a *attacker) drip(ctx context.Context, c net.Conn, text []byte) error {
	var answer [512]byte
	for {
		if err := c.SetReadDeadline(time.Now().Add(slowly)); err != nil {
			return err
		}
		if _, err := c.Read(answer[:]); err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
			return err
		}
		if len(text) == 0 {
			continue
		}
		if err := a.step(ctx, 1); err != nil {
			return err
		}
		if _, err := c.Write(text[:1]); err != nil {
			return err
		}
		text = text[1:]
	}
}

// slowHeader sends a request and one byte of its header every three seconds (slowloris).
func slowHeader(ctx context.Context, a *attacker, c net.Conn) error {
	if _, err := io.WriteString(c, "GET "+a.Path+" HTTP/1.1\r\nHost: a\r\nX-Slow: "); err != nil {
		return err
	}
	return a.drip(ctx, c, []byte(strings.Repeat("x", 10_000)))
}

// slowBody sends the header of a form, and one byte of its body every three seconds.
func slowBody(ctx context.Context, a *attacker, c net.Conn) error {
	if _, err := io.WriteString(c, "POST "+a.Path+" HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n"+
		"Content-Type: application/x-www-form-urlencoded\r\n\r\n"); err != nil {
		return err
	}
	return a.drip(ctx, c, []byte(strings.Repeat("x", 1000)))
}

// idle sends one request and keeps the connection.
func idle(ctx context.Context, a *attacker, c net.Conn) error {
	if _, err := io.WriteString(c, "GET /robots.txt HTTP/1.1\r\nHost: a\r\n\r\n"); err != nil {
		return err
	}
	return a.drip(ctx, c, nil)
}

// slowRead requests a page sixteen times and reads a byte of the answers every three seconds.
func slowRead(ctx context.Context, a *attacker, c net.Conn) error {
	if err := a.step(ctx, 16); err != nil {
		return err
	}
	request := "GET " + a.Path + " HTTP/1.1\r\nHost: a\r\nAccept: text/html\r\n\r\n"
	if _, err := io.WriteString(c, strings.Repeat(request, 16)); err != nil {
		return err
	}
	tick := time.NewTicker(slowly)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
		if _, err := c.Read(make([]byte, 1)); err != nil {
			return err
		}
	}
}

// slowHandshake sends one byte of a ClientHello every three seconds.
func slowHandshake(ctx context.Context, a *attacker, c net.Conn) error {
	// The header of a record of 500 bytes (RFC 8446 section 5.1).
	if _, err := c.Write([]byte{22, 3, 1, 500 >> 8, 500 & 255}); err != nil {
		return err
	}
	return a.drip(ctx, c, append([]byte{1, 0, 1, 500&255 - 4, 3, 3}, make([]byte, 400)...))
}
