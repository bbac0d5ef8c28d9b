package objects

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http/httptest"
	"testing"

	"keyhole/gateway"
)

func TestCancellationIsNoFailureOfTheStorage(t *testing.T) {
	t.Parallel()
	server := &scripted{head: said{status: 200, length: "3"}}
	storage, seen := storageAt(serve(t, server), nil)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := storage.Prove(ctx, "reports", "a", ""); !errors.Is(err, gateway.ErrUnavailable) ||
		!errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if len(seen.told) != 0 {
		t.Errorf("observed %v", seen.told)
	}
}

func TestStorageThatIsNotThere(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	endpoint := "http://" + l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	storage, _ := storageAt(endpoint, nil)
	if _, err := storage.Prove(t.Context(), "reports", "a", ""); !errors.Is(err, gateway.ErrUnavailable) {
		t.Errorf("got %v", err)
	}
	if err := storage.Check(t.Context()); err == nil || storage.Health() != HealthUnavailable {
		t.Errorf("%v, health %s", err, storage.Health())
	}
}

func TestPrivateAuthority(t *testing.T) {
	t.Parallel()
	server := httptest.NewTLSServer(&scripted{head: said{status: 200, length: "3"}, get: said{status: 206, body: "a"}})
	t.Cleanup(server.Close)
	trusted := x509.NewCertPool()
	trusted.AddCert(server.Certificate())
	with, _ := storageAt(server.URL, func(o *Options) { o.RootCAs = trusted })
	if _, err := with.Prove(t.Context(), "reports", "a", ""); err != nil {
		t.Errorf("with its authority: %v", err)
	}
	without, _ := storageAt(server.URL, func(o *Options) { o.RootCAs = x509.NewCertPool() })
	if _, err := without.Prove(t.Context(), "reports", "a", ""); !errors.Is(err, gateway.ErrUnavailable) {
		t.Errorf("without: %v", err)
	}
}

func TestClassifyOfNoAnswer(t *testing.T) {
	t.Parallel()
	tests := []struct {
		err    error
		result string
		kind   error
	}{
		{nil, ResultOK, nil},
		{context.DeadlineExceeded, ResultTimeout, gateway.ErrUnavailable},
		{fmt.Errorf("outer: %w", context.DeadlineExceeded), ResultTimeout, gateway.ErrUnavailable},
		{io.ErrUnexpectedEOF, ResultError, gateway.ErrUnavailable},
		{errors.New("anything"), ResultError, gateway.ErrUnavailable},
	}
	for _, tt := range tests {
		if result, kind := classify(tt.err); result != tt.result || !errors.Is(kind, tt.kind) {
			t.Errorf("%v: got %s, %v; want %s, %v", tt.err, result, kind, tt.result, tt.kind)
		}
	}
}
