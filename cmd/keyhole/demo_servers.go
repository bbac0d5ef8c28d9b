package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"mime"
	"net"
	"net/http"
	"path/filepath"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/alicebob/miniredis/v2/server"
	"github.com/rclone/gofakes3"
	"github.com/rclone/gofakes3/s3mem"
)

// The demo's private buckets.
const (
	demoFiles   = "files"
	demoReports = "reports"
)

// demoObject is one object of the demo.
type demoObject struct {
	bucket, key string
	content     []byte
	modified    time.Time
	share       bool // print a link for it
}

// demoSamples returns the objects that are there without any FILE.
func demoSamples(now time.Time) []demoObject {
	return []demoObject{
		{bucket: demoReports, key: "2026/welcome to keyhole.txt", modified: now, content: []byte(
			"This file lies in a private bucket. You got it through a short link that the\n" +
				"gateway checked, and a presigned URL that dies within seconds.\n")},
		{bucket: demoReports, key: "2026/q3-figures.csv", modified: now, content: []byte(
			"month,orders\n2026-07,1204\n2026-08,1391\n2026-09,1377\n")},
		{bucket: demoReports, key: "invoices/2026-0815.txt", modified: now, content: []byte(
			"Invoice 2026-0815: sensitive by the default policy.\n")},
		{bucket: demoFiles, key: "readme.txt", modified: now, content: []byte(
			"Files named on the command line lie in this bucket.\n")},
	}
}

// startDemoRedis starts a Redis-compatible server in this process and teaches it
// what the service asks of a real one.
func startDemoRedis() (*miniredis.Miniredis, error) {
	m := miniredis.NewMiniRedis()
	if err := m.Start(); err != nil {
		return nil, fmt.Errorf("start the demo's Redis: %w", err)
	}
	m.ClockTTL(true) // keys expire by the clock, as in Redis
	m.Server().SetPreHook(func(c *server.Peer, cmd string, _ ...string) bool {
		switch cmd {
		case "ROLE":
			c.WriteLen(3)
			c.WriteBulk("master")
			c.WriteInt(0)
			c.WriteLen(0)
		case "INFO":
			c.WriteBulk("redis_version:7.0.0\r\nredis_mode:standalone\r\nrole:master\r\nconnected_slaves:0\r\nloading:0\r\n" +
				"maxmemory:0\r\nmaxmemory_policy:noeviction\r\naof_enabled:0\r\nrdb_last_save_time:0\r\n")
		default:
			return false
		}
		return true
	})
	return m, nil
}

// demoS3 is an S3 server in this process that verifies every signature.
type demoS3 struct {
	address           string
	accessKey, secret string
	close             func() error
}

// startDemoS3 starts the server with the objects in it.
func startDemoS3(ctx context.Context, address string, objects []demoObject) (*demoS3, error) {
	s := &demoS3{accessKey: "DEMO" + rand.Text()[:16], secret: rand.Text()}
	backend := s3mem.New()
	for _, bucket := range []string{demoFiles, demoReports} {
		if err := backend.CreateBucket(ctx, bucket); err != nil {
			return nil, fmt.Errorf("make the demo's bucket %s: %w", bucket, err)
		}
	}
	for _, o := range objects {
		meta := map[string]string{"Content-Type": contentType(o.key), "Last-Modified": o.modified.UTC().Format(http.TimeFormat)}
		if _, err := backend.PutObject(ctx, o.bucket, o.key, meta, bytes.NewReader(o.content), int64(len(o.content))); err != nil {
			return nil, fmt.Errorf("put %s into the demo's bucket: %w", o.key, err)
		}
	}
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", address, err)
	}
	s.address = listener.Addr().String()
	handler := gofakes3.New(backend, gofakes3.WithV4Auth(map[string]string{s.accessKey: s.secret})).Server()
	httpServer := &http.Server{Handler: handler, ReadHeaderTimeout: readHeaderTimeout}
	s.close = httpServer.Close
	go httpServer.Serve(listener) //nolint:errcheck // it ends with close, and its trouble shows at the first click
	return s, nil
}

// contentType guesses the type of a file by its name.
func contentType(name string) string {
	if t := mime.TypeByExtension(filepath.Ext(name)); t != "" {
		return t
	}
	return "application/octet-stream"
}
