package listen

import (
	"fmt"
	"log/slog"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
)

// Each reason for which the kernel refuses an address has its own hint.
func TestHint(t *testing.T) {
	t.Parallel()
	for reason, want := range map[syscall.Errno]string{
		syscall.EACCES:        "ports below 1024 need root or the capability CAP_NET_BIND_SERVICE",
		syscall.EADDRINUSE:    "is another process using the address?",
		syscall.EADDRNOTAVAIL: "this machine does not have the address",
	} {
		// As package net reports it, and Open wraps it.
		err := fmt.Errorf("listen on :443: %w", &net.OpError{Op: "listen", Err: os.NewSyscallError("bind", reason)})
		got := Hint(err, "in public.listen")
		if !strings.HasPrefix(got, want) || !strings.HasSuffix(got, " in public.listen") {
			t.Errorf("%v: got %q", reason, got)
		}
		if reason == syscall.EACCES && strings.Contains(got, "another process") {
			t.Errorf("%v: blames another process: %q", reason, got)
		}
	}
}

// The errors are those that Open returns.
func TestHintOfOpen(t *testing.T) {
	t.Parallel()
	taken, err := Open(t.Context(), "127.0.0.1:0", Options{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = taken.Close() }() // never served
	for address, want := range map[string]string{
		taken.Addr():  "another process",
		"192.0.2.1:0": "does not have the address", // TEST-NET-1, RFC 5737
	} {
		_, err := Open(t.Context(), address, Options{Log: slog.New(slog.DiscardHandler)})
		if err == nil || !strings.Contains(Hint(err, "with --public"), want) {
			t.Errorf("%s: %v", address, err)
		}
	}
}
