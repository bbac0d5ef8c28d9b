package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"keyhole/gateway/api"
)

// TestMain lets the binary of the tests act as each program that the benchmark starts, by
// the arguments of that program. Such a process ends when the benchmark kills it.
func TestMain(m *testing.M) {
	if len(os.Args) < 2 {
		os.Exit(m.Run())
	}
	switch os.Args[1] {
	case "serve": // serve --config FILE
		os.Exit(actAs(fakeGateway, os.Args[3]))
	case "-kind": // -kind KIND -listen ADDRESS ...
		os.Exit(actAs(fakeFloor, os.Args[4]))
	case "--port": // --port ADDRESS ...
		os.Exit(actAs(fakeStorage, os.Args[2]))
	case "print": // print WORD...
		fmt.Println(strings.Join(os.Args[2:], " "), "GOGC="+os.Getenv("GOGC"), "HOME="+os.Getenv("HOME"))
		os.Exit(0)
	case "hang":
		select {}
	}
	os.Exit(m.Run())
}

// actAs returns the exit status of a program that should never end.
func actAs(program func(argument string) error, argument string) int {
	fmt.Fprintln(os.Stderr, program(argument))
	return 1
}

// listenAddress finds the addresses in the configuration of a gateway.
var listenAddress = regexp.MustCompile(`listen: "([^"]*)"`)

// fakeGateway serves the two addresses of a configuration. A token is the number of its
// object, so that a second process redirects the links that the first one issued.
func fakeGateway(config string) error {
	text, err := os.ReadFile(config)
	if err != nil {
		return err
	}
	addresses := listenAddress.FindAllStringSubmatch(string(text), -1)
	operator := http.NewServeMux()
	operator.HandleFunc("GET /readyz", func(http.ResponseWriter, *http.Request) {})
	operator.HandleFunc("POST /api/v1/links", issueFake)
	operator.HandleFunc("DELETE /api/v1/links/{id}", revokeFake)
	operator.Handle("/console/", fakeConsole("an-operator-of-the-benchmark", 100))
	ended := make(chan error, 2)
	go func() { ended <- serve(addresses[0][1], http.HandlerFunc(redirectFake)) }()
	go func() { ended <- serve(addresses[1][1], operator) }()
	return <-ended
}

// issueFake answers the request for a link to an object of the benchmark.
func issueFake(w http.ResponseWriter, r *http.Request) {
	var request api.IssueRequest
	var team, number int
	err := json.NewDecoder(r.Body).Decode(&request)
	if err == nil {
		_, err = fmt.Sscanf(request.Key, "exports/2026/11/team-%d/quarterly-report-%d.pdf", &team, &number)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusCreated)
	_ = json.NewEncoder(w).Encode(api.Link{ID: "id", URL: fmt.Sprintf("http://127.0.0.1/%022d", number)})
}

// revokeFake answers the revocation of a link.
func revokeFake(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(api.Link{ID: r.PathValue("id")})
}

// redirectFake redirects as Keyhole does, and refuses what is no number.
func redirectFake(w http.ResponseWriter, r *http.Request) {
	var number int
	if _, err := fmt.Sscanf(r.URL.Path, "/%022d", &number); err != nil {
		http.NotFound(w, r)
		return
	}
	status := http.StatusFound
	if r.Method == http.MethodPost {
		status = http.StatusSeeOther
		if r.FormValue("confirm") != "1" {
			status = http.StatusBadRequest
		}
	}
	w.Header().Set("Location", "http://127.0.0.1:1/reports/"+objectKey(number)+"?X-Amz-Expires=30")
	w.WriteHeader(status)
}

// fakeFloor redirects every request.
func fakeFloor(address string) error {
	return serve(address, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Location", "http://127.0.0.1:1/")
		w.WriteHeader(http.StatusFound)
	}))
}

// fakeStorage accepts every request.
func fakeStorage(address string) error {
	return serve(address, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("ETag", `"e"`)
	}))
}

// serve serves an address until the process ends.
func serve(address string, handler http.Handler) error {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	server := &http.Server{Handler: handler, ReadHeaderTimeout: time.Minute}
	return server.Serve(listener)
}

// itself returns the path of the binary of the tests.
func itself(tb testing.TB) string {
	tb.Helper()
	path, err := os.Executable()
	if err != nil {
		tb.Fatal(err)
	}
	return path
}

// testOptions returns the options of a short benchmark whose programs are fakes.
func testOptions(tb testing.TB) *options {
	tb.Helper()
	program := itself(tb)
	return &options{
		keyhole: program, floor: program, versitygw: program, scratch: tb.TempDir(), script: "wrk.lua",
		core: "0", loadCore: "0", commit: "0123456789ab",
		rounds: 1, links: 20, connections: 4, duration: 300 * time.Millisecond,
		maxBehind: 30 * time.Second, drainTime: 30 * time.Second, // The machine may be busy.
	}
}

// install writes a shell script that is found before the program of that name.
func install(t *testing.T, name, script string) {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"+script+"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+string(filepath.ListSeparator)+os.Getenv("PATH"))
}

// start launches the binary of the tests as a program that ends with the test.
func start(t *testing.T, o *options, args ...string) *process {
	t.Helper()
	p, err := launch(o, o.core, itself(t), nil, args...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.stop)
	return p
}

// ended waits for the end of a process.
func ended(t *testing.T, p *process) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), startTimeout)
	defer cancel()
	select {
	case <-p.ended:
	case <-ctx.Done():
		t.Fatal("the process does not end")
	}
}

// realStore starts a Redis of a kind that ends with the test.
func realStore(t *testing.T, o *options, kind string) *store {
	t.Helper()
	nodes, addresses, err := startRedis(t.Context(), o, kind)
	t.Cleanup(func() {
		for _, p := range nodes {
			p.stop()
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return &store{nodes: nodes, addresses: addresses, tokens: map[string][]string{}, files: map[string]string{}}
}
