package cli

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"

	"keyhole/cmd/keyhole/internal/command"
	"keyhole/cmd/keyhole/internal/findings"
	"keyhole/gateway/api"
	"keyhole/gateway/client"
)

// noted returns the findings of a check as level, check and message, one on each line.
func noted(check func(*clientFindings)) string {
	var lines strings.Builder
	check(&clientFindings{print: func(f *findings.Finding) {
		fmt.Fprintf(&lines, "%s %s %s: %s\n", f.Subject, f.Level, f.Check, f.Message)
	}})
	return lines.String()
}

// Each reason of TLS has its own advice, although the general error wraps the special ones.
func TestClientFindingsOfCertificates(t *testing.T) {
	t.Parallel()
	wrapped := func(err error) error {
		return fmt.Errorf("%w: %w", client.ErrUnreachable, &tls.CertificateVerificationError{Err: err})
	}
	expired := x509.CertificateInvalidError{Reason: x509.Expired}
	name := x509.HostnameError{Certificate: &x509.Certificate{DNSNames: []string{"ops.example.com"}}, Host: "h"}
	for advice, err := range map[string]error{
		"use the host name that is in the certificate":               wrapped(name),
		"renew the certificate, and check the clock of this machine": wrapped(expired),
		"install the authority, or name its file in SSL_CERT_FILE":   wrapped(x509.UnknownAuthorityError{}),
		"the address speaks http: write it with http://":             tls.RecordHeaderError{Msg: "no TLS"},
		"that a firewall lets this machine reach it":                 errors.New("timeout"),
		"if the service uses TLS, write it with https://":            client.ErrProxy,
	} {
		n := &clientFindings{print: func(*findings.Finding) {}}
		n.noAnswer(err)
		if len(n.all) != 1 || n.all[0].Level != findings.Failure || n.all[0].Message != err.Error() ||
			!strings.HasSuffix(n.all[0].Do, advice) {
			t.Errorf("%v: got %+v, want %q", err, n.all, advice)
		}
	}
}

// The tolerance of the clocks begins after what the duration of the request explains, and
// the service's clock has whole seconds.
func TestClientFindingsOfClocks(t *testing.T) {
	t.Parallel()
	date := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	const right = "service ok clock: within 5s of the service's\n"
	for _, tt := range []struct {
		sent, received time.Duration // after the service's clock
		want           string
	}{
		{0, 0, right},
		{-time.Minute, time.Minute, right}, // a slow request
		{5999 * time.Millisecond, 7 * time.Second, right},
		{6 * time.Second, 7 * time.Second, "service warning clock: the clock of this machine is 5s ahead of the service's\n"},
		{-7 * time.Second, -4999 * time.Millisecond, right},
		{-7 * time.Second, -5 * time.Second, "service warning clock: the clock of this machine is 5s behind the service's\n"},
	} {
		seen := client.Connection{Date: date, Sent: date.Add(tt.sent), Received: date.Add(tt.received)}
		if got := noted(func(n *clientFindings) { n.clock(&seen) }); got != tt.want {
			t.Errorf("%s to %s: got %q, want %q", tt.sent, tt.received, got, tt.want)
		}
	}
}

// Presets are compared with the longest life of the key. A limit that this command cannot
// read hides no preset.
func TestClientFindingsOfPresets(t *testing.T) {
	t.Parallel()
	presets := []api.Preset{
		{Name: "short", ExpiresIn: "2h"}, {Name: "long", ExpiresIn: "3h"}, {Name: "odd", ExpiresIn: "x"},
	}
	const all = "service ok presets: short 2h, long 3h, odd x"
	for limit, want := range map[string]string{
		"1h": all + "; longer than this key may issue: short, long\n",
		"2h": all + "; longer than this key may issue: long\n",
		"3h": all + "\n",
		"":   all + "\n",
	} {
		o := api.Operator{Presets: presets, Caps: api.Caps{NotSensitive: limit}}
		if got := noted(func(n *clientFindings) { n.presets(&o) }); got != want {
			t.Errorf("%q: got %q, want %q", limit, got, want)
		}
	}
}

// Mistakes of users end the checks before a request, as errors of usage.
func TestClientCheckMistakes(t *testing.T) {
	t.Parallel()
	for environ, want := range map[string]string{
		"KEYHOLE_KEY=":           "no operator key",
		"KEYHOLE_KEY=two canary": "KEYHOLE_KEY does not contain exactly one operator key",
		"KEYHOLE_CONTEXT=prod":   "neither HOME nor XDG_CONFIG_HOME is set",
	} {
		x := NewClientCheck(&command.Env{Environ: []string{environ}})
		x.AddFlags(&cobra.Command{})
		all, err := x.Check(t.Context(), func(f *findings.Finding) { t.Errorf("%s: found %+v", environ, f) })
		known, is := errors.AsType[*command.Error](err)
		if len(all) > 0 || !is || known.Code != command.ExitUsage || !strings.Contains(err.Error(), want) ||
			strings.Contains(err.Error(), "canary") {
			t.Errorf("%s: %v, %v", environ, all, err)
		}
	}
}
