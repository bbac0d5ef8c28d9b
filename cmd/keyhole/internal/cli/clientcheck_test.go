package cli

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"

	"keyhole/cmd/keyhole/internal/command"
	"keyhole/cmd/keyhole/internal/findings"
	"keyhole/gateway/api"
	"keyhole/gateway/client"
)

// checkClient runs the checks of a client of version 1.2.3 against a service, and returns
// the findings as level, check, message and advice, one on each line.
func checkClient(t *testing.T, url string) string {
	t.Helper()
	x := NewClientCheck(&command.Env{
		Stderr: io.Discard, Build: command.Build{Version: "1.2.3"},
		Environ: []string{"KEYHOLE_KEY=khk_canary", "KEYHOLE_OPERATOR_URL=" + url},
	})
	x.AddFlags(&cobra.Command{})
	var lines strings.Builder
	all, err := x.Check(t.Context(), func(f *findings.Finding) {
		fmt.Fprintf(&lines, "%s %s: %s; %s\n", f.Level, f.Check, f.Message, f.Do)
	})
	if err != nil || len(all) != strings.Count(lines.String(), "\n") || strings.Contains(lines.String(), "canary") {
		t.Errorf("%d findings, %v\n%s", len(all), err, lines.String())
	}
	return lines.String()
}

// answering answers every request with a value, and with a clock that is ahead.
func answering(status int, ahead time.Duration, value any) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Date", time.Now().Add(ahead).UTC().Format(http.TimeFormat))
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(value) // the client may have hung up
	}
}

// The findings of a service that answers.
func TestClientCheck(t *testing.T) {
	t.Parallel()
	admin, nothing, old := aOperator(), aOperator(), aOperator()
	nothing.Can, old.Version = nil, "1.2.2"
	admin.Objects = []string{"*"}
	nowhere := aOperator()
	nowhere.Objects = nil
	for name, tt := range map[string]struct {
		handler http.HandlerFunc
		want    []string
	}{
		"everything is right": {answering(200, 0, admin), []string{
			"ok address: http://127.0.0.1", ", from KEYHOLE_OPERATOR_URL; the key is from KEYHOLE_KEY",
			"ok reachable: ", "ok tls: plain http on this machine", "ok clock: within 5s",
			"ok key: ci, an operator key, may issue, read; objects: all", "ok version: command and service are 1.2.3",
			"ok presets: handoff 10m, business 12h; longer than this key may issue: business",
		}},
		"another version": {answering(200, 0, old), []string{"warning version: the command is 1.2.3, the service is 1.2.2"}},
		"no rights":       {answering(200, 0, nothing), []string{"failure key: ci, an operator key, may do nothing"}},
		"no objects":      {answering(200, 0, nowhere), []string{"failure objects: the key may act on no object"}},
		"a fast clock":    {answering(200, -time.Hour, admin), []string{"warning clock: ", " ahead of the service's"}},
		"a slow clock":    {answering(200, time.Hour, admin), []string{"warning clock: ", " behind the service's"}},
		"a wrong key": {
			answering(401, 0, api.Problem{Status: 401, Code: "unauthorized", Detail: "unknown operator key"}),
			[]string{
				"ok reachable", "ok clock", "failure key: the service refuses the key: unknown operator key; use a key that is",
			},
		},
		"an old service": {
			answering(404, 0, api.Problem{Status: 404, Code: "not_found", Detail: "no such path"}),
			[]string{"warning version: the service is older than this command"},
		},
		"overload": {
			answering(429, 0, api.Problem{Status: 429, Code: "rate_limited", Detail: "too many"}),
			[]string{"failure key: too many; "},
		},
		"another server": {answering(200, 0, map[string]string{"status": "UP"}), []string{
			"failure reachable: ", "use the operator address, not the address for recipients",
		}},
	} {
		server := httptest.NewServer(tt.handler)
		got := checkClient(t, server.URL)
		server.Close()
		for _, want := range tt.want {
			if !strings.Contains(got, want) {
				t.Errorf("%s: %q is not in\n%s", name, want, got)
			}
		}
	}
	got := checkClient(t, "http://127.0.0.1:1")
	if !strings.Contains(got, "failure reachable: the service cannot be reached") {
		t.Errorf("nothing listens:\n%s", got)
	}
}

// The findings of addresses with TLS: an unknown authority, and the wrong scheme.
func TestClientCheckOfTLS(t *testing.T) {
	t.Parallel()
	server := httptest.NewUnstartedServer(answering(200, 0, aOperator()))
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // of the refused handshakes
	server.StartTLS()
	t.Cleanup(server.Close)
	got := checkClient(t, server.URL)
	if !strings.Contains(got, "failure tls: ") || !strings.Contains(got, "SSL_CERT_FILE") {
		t.Errorf("an unknown authority:\n%s", got)
	}
	plain := httptest.NewServer(answering(200, 0, aOperator()))
	t.Cleanup(plain.Close)
	got = checkClient(t, strings.Replace(plain.URL, "http:", "https:", 1))
	if !strings.Contains(got, "write it with http://") {
		t.Errorf("https to http:\n%s", got)
	}
	got = checkClient(t, strings.Replace(server.URL, "https:", "http:", 1))
	if !strings.Contains(got, "write it with https://") {
		t.Errorf("http to https:\n%s", got)
	}
}

// A certificate that ends soon is a warning, and so is plain http over a network.
func TestClientTransport(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	valid := func(lives time.Duration) *tls.ConnectionState {
		return &tls.ConnectionState{PeerCertificates: []*x509.Certificate{{NotAfter: now.Add(lives)}}}
	}
	for name, tt := range map[string]struct {
		url  string
		tls  *tls.ConnectionState
		want string
	}{
		"a month":  {"https://h", valid(30 * 24 * time.Hour), "ok the certificate is valid until 2026-12-01"},
		"a day":    {"https://h", valid(24 * time.Hour), "warning the certificate is valid until 2026-11-02"},
		"loopback": {"http://127.0.0.1:8081", nil, "ok plain http on this machine"},
		"http": {
			"http://keyhole.example.com", nil, "warning plain http: anyone who can read the traffic can use the key",
		},
	} {
		n := &clientFindings{print: func(*findings.Finding) {}}
		n.transport(tt.url, &client.Connection{Received: now, TLS: tt.tls})
		if got := n.all[0].Level + " " + n.all[0].Message; len(n.all) != 1 || got != tt.want {
			t.Errorf("%s: got %q, want %q", name, got, tt.want)
		}
	}
	n := &clientFindings{print: func(*findings.Finding) {}}
	if n.clock(&client.Connection{}); n.all[0].Level != findings.Warning {
		t.Errorf("without a Date: %+v", n.all)
	}
}
