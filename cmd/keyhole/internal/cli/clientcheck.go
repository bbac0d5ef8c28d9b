package cli

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"keyhole/cmd/keyhole/internal/command"
	"keyhole/cmd/keyhole/internal/findings"
	"keyhole/gateway"
	"keyhole/gateway/api"
	"keyhole/gateway/client"
)

// ClientCheck checks what a person at this machine needs to use a service: keyhole doctor
// --client.
type ClientCheck struct {
	env      *command.Env
	operator operatorFlags
}

// NewClientCheck returns the checks of a client.
func NewClientCheck(env *command.Env) *ClientCheck { return &ClientCheck{env: env} }

// AddFlags adds the flags that name the service, and returns their names.
func (x *ClientCheck) AddFlags(cmd *cobra.Command) []string {
	x.operator.add(cmd)
	completeFlag(cmd, "context", offerContexts(x.env))
	return []string{"context", "operator-url", "key-file"}
}

const (
	// clientSubject names the service in findings.
	clientSubject = "service"
	// clientTimeout bounds the request of the checks.
	clientTimeout = 10 * time.Second
	// clockTolerance is the smallest difference of clocks that is a warning. The checks of
	// Redis and the storages have the same tolerance.
	clockTolerance = 5 * time.Second
)

// clientFindings collects findings and prints each at once.
type clientFindings struct {
	all   []findings.Finding
	print func(*findings.Finding)
}

// note adds a finding.
func (n *clientFindings) note(level, check, message, do string) {
	f := findings.Finding{Subject: clientSubject, Check: check, Level: level, Message: message, Do: do}
	n.all = append(n.all, f)
	n.print(&f)
}

// Check asks the service once and checks the answer. Its error is a mistake in flags,
// variables or the client configuration.
func (x *ClientCheck) Check(ctx context.Context, print func(*findings.Finding)) ([]findings.Finding, error) {
	s, err := x.operator.service(x.env)
	if err != nil {
		return nil, err
	}
	c, err := s.client(x.env)
	if err != nil {
		return nil, err
	}
	n := &clientFindings{print: print}
	// The first line answers the most common question: which service was asked at all.
	n.note(findings.OK, "address", hostOnly(s.url)+", from "+s.urlFrom+"; the key is from "+s.keyFrom, "")
	ctx, cancel := context.WithTimeout(ctx, clientTimeout)
	defer cancel()
	operator, seen, err := c.Diagnose(ctx)
	refused, isRefused := errors.AsType[*client.Error](err)
	if err != nil && !isRefused {
		n.noAnswer(err)
		return n.all, nil
	}
	// A refusal comes from the service too, so the checks of the connection still apply.
	n.note(findings.OK, "reachable", "Keyhole's operator API responds", "")
	n.transport(s.url, &seen)
	n.clock(&seen)
	if err != nil {
		n.refusal(err, refused)
		return n.all, nil
	}
	n.key(&operator)
	n.version(x.env.Build.Version, operator.Version)
	n.presets(&operator)
	return n.all, nil
}

// noAnswer notes why no answer of the service came.
func (n *clientFindings) noAnswer(err error) {
	var authority x509.UnknownAuthorityError
	var name x509.HostnameError
	var certificate *tls.CertificateVerificationError
	var plain tls.RecordHeaderError
	message := err.Error()
	// The order matters: the general error of TLS wraps the special ones.
	switch {
	case errors.As(err, &authority):
		n.note(findings.Failure, "tls", message, "this machine does not trust the authority of the certificate: install "+
			"the authority, or name its file in SSL_CERT_FILE")
	case errors.As(err, &name):
		n.note(findings.Failure, "tls", message, "use the host name that is in the certificate")
	case errors.As(err, &certificate):
		n.note(findings.Failure, "tls", message, "renew the certificate, and check the clock of this machine")
	case errors.As(err, &plain), errors.Is(err, http.ErrSchemeMismatch):
		n.note(findings.Failure, "tls", message, "the address speaks http: write it with http://")
	case errors.Is(err, client.ErrNotKeyhole):
		n.note(findings.Failure, "reachable", message, "use the operator address, not the address for recipients; if the "+
			"service uses TLS, write it with https://")
	default:
		n.note(findings.Failure, "reachable", message, "check the address, that the service runs, and that a firewall lets "+
			"this machine reach it")
	}
}

// transport notes whether others can read the key on its way.
func (n *clientFindings) transport(url string, seen *client.Connection) {
	switch {
	case seen.TLS == nil && clearText(url):
		n.note(findings.Warning, "tls", "plain http: anyone who can read the traffic can use the key",
			"use an https address; see operator.tls in the configuration of the service")
	case seen.TLS == nil:
		n.note(findings.OK, "tls", "plain http on this machine", "")
	case len(seen.TLS.PeerCertificates) > 0:
		ends := seen.TLS.PeerCertificates[0].NotAfter
		until := "the certificate is valid until " + ends.UTC().Format(time.DateOnly)
		if ends.Sub(seen.Received) < findings.CertificateWarning {
			n.note(findings.Warning, "tls", until, "renew the certificate of the service")
			return
		}
		n.note(findings.OK, "tls", until, "")
	}
}

// clock notes the difference between the clock of this machine and the service's, which
// sends whole seconds. The answer was made between sending and receiving.
func (n *clientFindings) clock(seen *client.Connection) {
	if seen.Date.IsZero() {
		n.note(findings.Warning, "clock", "the answer has no Date", "check that no proxy removes the header Date")
		return
	}
	// The duration of the request and the missing fraction of a second explain a small
	// difference, so they are subtracted.
	off := time.Duration(0)
	if early := seen.Sent.Sub(seen.Date) - time.Second; early > 0 {
		off = early
	} else if late := seen.Date.Sub(seen.Received); late > 0 {
		off = -late
	}
	if off.Abs() < clockTolerance {
		n.note(findings.OK, "clock", "within 5s of the service's", "")
		return
	}
	// The direction tells which of the two clocks a person should distrust.
	direction := "ahead of"
	if off < 0 {
		direction = "behind"
	}
	n.note(findings.Warning, "clock", fmt.Sprintf("the clock of this machine is %s %s the service's",
		off.Abs().Round(time.Second), direction), "synchronise the clock of this machine or of the service; links end by "+
		"the clock of the service's Redis")
}

// refusal notes the refusal of a request for the operator.
func (n *clientFindings) refusal(err error, refused *client.Error) {
	switch {
	case errors.Is(err, client.ErrOldService):
		n.note(findings.Warning, "version", "the service is older than this command and cannot say what the key may do",
			"update the service, or use the command of its version")
	case refused.Status == http.StatusUnauthorized:
		n.note(findings.Failure, "key", "the service refuses the key: "+refused.Error(), hintFor(refused))
	default:
		n.note(findings.Failure, "key", refused.Error(), hintFor(refused))
	}
}

// key notes what the key may do.
func (n *clientFindings) key(o *api.Operator) {
	if len(o.Can) == 0 {
		n.note(findings.Failure, "key", o.Name+", "+admittedBy(o)+", may do nothing",
			"ask the service's administrator for a grant that this token matches")
		return
	}
	n.note(findings.OK, "key", fmt.Sprintf("%s, %s, may %s; objects: %s", o.Name, admittedBy(o),
		strings.Join(o.Can, ", "), scopeOf(o)), "")
	if len(o.Objects) == 0 {
		n.note(findings.Failure, "objects", "the key may act on no object", "extend the objects of the key or grant")
	}
}

// version notes a difference of versions. Commands and services of different versions work
// together, but the older one may lack a feature of the newer one.
func (n *clientFindings) version(own, service string) {
	if own == service {
		n.note(findings.OK, "version", "command and service are "+own, "")
		return
	}
	n.note(findings.Warning, "version", fmt.Sprintf("the command is %s, the service is %s", own, service),
		"use the same version for both, so that every flag works")
}

// presets notes the configured lives, and which of them the key cannot use.
func (n *clientFindings) presets(o *api.Operator) {
	longest, err := gateway.ParseLife(o.Caps.NotSensitive)
	var lives, over []string
	for _, p := range o.Presets {
		lives = append(lives, p.Name+" "+p.ExpiresIn)
		if life, lifeErr := gateway.ParseLife(p.ExpiresIn); err == nil && lifeErr == nil && life > longest {
			over = append(over, p.Name)
		}
	}
	message := strings.Join(lives, ", ")
	if len(over) > 0 {
		message += "; longer than this key may issue: " + strings.Join(over, ", ")
	}
	n.note(findings.OK, "presets", message, "")
}
