package doctor

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strings"
	"time"

	"keyhole/cmd/keyhole/internal/findings"
	"keyhole/config"
	"keyhole/gateway"
	"keyhole/gateway/api"
	"keyhole/gateway/httpapi"
	"keyhole/gateway/redisstore"
)

// The checks of public.url. checkReachable is the first one.
const (
	checkCertificate = "certificate"
	checkProxy       = "proxy"    // who sends the requests, and X-Forwarded-For
	checkAnswers     = "answers"  // methods, caches and pages
	checkLocation    = "location" // a long header
	checkRedirect    = "redirect" // plain http
)

// publicSubject is the subject of findings about public.url.
const publicSubject = "public"

const (
	// publicTimeout bounds one request to public.url. It is longer than a handshake over a
	// slow line, and short enough for a page that shows all findings.
	publicTimeout = 5 * time.Second
	// LongestLocation is the length of the longest presigned URL without a session token, in
	// bytes; see deploy/docs/run/proxy.md.
	LongestLocation = 9866
	// forgedAddress is what the doctor sends as X-Forwarded-For: nobody has this address (RFC
	// 5737).
	forgedAddress = "192.0.2.1"
	// maxPublicBody bounds how much of an answer is read, in bytes.
	maxPublicBody = 64 << 10
)

// publicExam examines public.url from the view of recipients.
type publicExam struct {
	x       *examination
	config  *config.Public
	cursors gateway.Cursors // of the running gateways; nil: Redis has none, or does not answer
	client  *http.Client
	plain   string // the address for plain http; empty: not checked
}

// publicAnswer is an answer that came through public.url.
type publicAnswer struct {
	status   int
	header   http.Header
	notFound bool   // it is Keyhole's answer to an unknown path
	local    string // the doctor's own end of the connection, host:port
	tls      *tls.ConnectionState
	sent     string // the probe
}

// examinePublic requests a path that is no link through public.url, as recipients open
// links. A service that runs with the same Redis answers a probe with what it saw.
func (x *examination) examinePublic(ctx context.Context, c *config.Public, store *redisstore.Store) {
	e := &publicExam{x: x, config: c, client: recipient(nil, publicTimeout)}
	defer e.client.CloseIdleConnections()
	if cursors, err := store.ReadCursors(ctx); err == nil {
		e.cursors = cursors
	}
	if u, err := url.Parse(c.URL); err == nil && u.Scheme == "https" && u.Port() == "" {
		e.plain = "http://" + u.Host
	}
	e.examine(ctx)
}

// examine makes the checks. Each one assumes that those before it succeeded.
func (e *publicExam) examine(ctx context.Context) {
	path := "/keyhole-doctor-" + rand.Text()
	got, err := e.ask(ctx, http.MethodGet, path, 0)
	if !e.reached(ctx, got, err) {
		return
	}
	e.certificate(got)
	if probed, ok := e.probed(ctx, got); ok {
		e.proxy(got, &probed)
		e.answers(ctx, path)
		e.location(ctx, path)
	}
	if e.plain != "" {
		e.redirect(ctx, path)
	}
}

// note adds a finding about public.url.
func (e *publicExam) note(level, check, message, do string) {
	e.x.note(finding{Subject: publicSubject, Check: check, Level: level, Message: message, Do: do})
}

// ask sends a probe for a path through public.url. padding is the least length of a header
// of the answer.
func (e *publicExam) ask(ctx context.Context, method, path string, padding int) (*publicAnswer, error) {
	got := &publicAnswer{}
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotConn: func(c httptrace.GotConnInfo) { got.local = c.Conn.LocalAddr().String() },
	})
	r, err := e.probe(ctx, method, path, padding)
	if err != nil {
		return nil, err
	}
	answer, err := e.client.Do(r)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(io.LimitReader(answer.Body, maxPublicBody))
	if err != nil {
		return nil, err
	}
	var problem struct{ Code string }
	got.status, got.header, got.tls = answer.StatusCode, answer.Header, answer.TLS
	got.sent = r.Header.Get(httpapi.ProbeHeader)
	got.notFound = json.Unmarshal(text, &problem) == nil && problem.Code == string(gateway.OutcomeNotFound)
	return got, nil
}

// probe makes the request of ask. Without cursors it is an ordinary request.
func (e *publicExam) probe(ctx context.Context, method, path string, padding int) (*http.Request, error) {
	r, err := http.NewRequestWithContext(ctx, method, e.config.URL+path, http.NoBody)
	if err != nil {
		return nil, err
	}
	r.Header.Set("Accept", api.ProblemType) // its code tells Keyhole from other services
	if e.cursors == nil {
		return r, nil
	}
	sent, err := httpapi.SealProbe(ctx, e.cursors, httpapi.Probe{At: time.Now(), Padding: padding})
	if err != nil {
		return nil, err
	}
	r.Header.Set(httpapi.ProbeHeader, sent)
	// Without a probe, the service would log a warning about an unknown proxy.
	r.Header.Set("X-Forwarded-For", forgedAddress)
	return r, nil
}

// reached reports whether Keyhole answers at public.url.
func (e *publicExam) reached(ctx context.Context, got *publicAnswer, err error) bool {
	var untrusted *tls.CertificateVerificationError
	// A service that is stopped on purpose is no failure. Only if it listens, an error of the
	// way to it is one.
	switch {
	case errors.As(err, &untrusted):
		e.note(levelOK, checkReachable, e.config.URL+" responds", "")
		e.note(levelFailure, checkCertificate, "recipients refuse the certificate: "+untrusted.Err.Error(),
			doAboutCertificate(untrusted.Err))
		return false
	case err == nil && (got.notFound || e.isAnswered(ctx, got)):
		e.note(levelOK, checkReachable, e.config.URL+" responds", "")
		return true
	case !e.listening(ctx):
		e.note(levelWarning, checkReachable, "the service does not run: nothing listens on "+e.config.Listen+
			" (public.listen), so "+e.config.URL+" is not checked",
			"start the service, and run keyhole doctor on its machine")
	case err != nil:
		e.note(levelFailure, checkReachable, e.config.URL+" is unreachable from here: "+lastReason(withoutURL(err)),
			"set public.url to the address that recipients open, and check its DNS entry, the firewall and the proxy")
	case got.status == http.StatusBadGateway, got.status == http.StatusServiceUnavailable,
		got.status == http.StatusGatewayTimeout:
		e.note(levelFailure, checkReachable, fmt.Sprintf("%s answers %d: the proxy does not reach Keyhole", e.config.URL,
			got.status), "set the address of Keyhole in the proxy to that of public.listen")
	default:
		e.note(levelFailure, checkReachable, fmt.Sprintf("%s answers %d with a page that is not Keyhole's: another "+
			"service, or a proxy that replaces pages", e.config.URL, got.status),
			"set public.url to the address that leads to Keyhole, and let the proxy pass on all answers of Keyhole")
	}
	return false
}

// isAnswered reports whether the answer has a valid header for the probe. Then it comes from
// Keyhole, also if a proxy has replaced its content.
func (e *publicExam) isAnswered(ctx context.Context, got *publicAnswer) bool {
	_, err := e.open(ctx, got)
	return err == nil
}

// open returns what the service saw of the probe.
func (e *publicExam) open(ctx context.Context, got *publicAnswer) (httpapi.Probed, error) {
	if e.cursors == nil {
		return httpapi.Probed{}, gateway.ErrCursor
	}
	return httpapi.OpenProbed(ctx, e.cursors, got.sent, got.header.Get(httpapi.ProbeHeader))
}

// listening reports whether something listens on public.listen of this machine. Go takes an
// address without a host, and one that means every interface, for this machine.
func (e *publicExam) listening(ctx context.Context) bool {
	dialer := &net.Dialer{Timeout: publicTimeout}
	connection, err := dialer.DialContext(ctx, "tcp", e.config.Listen)
	if err != nil {
		return false
	}
	_ = connection.Close() // nothing was sent
	return true
}

// certificate checks how long the certificate is valid. The handshake has checked its name
// and its authority by the system's authorities, as recipients do.
func (e *publicExam) certificate(got *publicAnswer) {
	if got.tls == nil {
		if e.config.ClearText() {
			e.note(levelWarning, checkCertificate,
				e.config.URL+" uses plain http: anyone on the network path can use the links", "use https in public.url")
		}
		return
	}
	// Intermediate certificates live longer than those that they sign, and Go has verified them.
	leaf := got.tls.PeerCertificates[0]
	end := leaf.NotAfter.UTC().Format(time.DateOnly)
	if left := time.Until(leaf.NotAfter); left < findings.CertificateWarning {
		e.note(levelWarning, checkCertificate, fmt.Sprintf("the certificate expires in %s, on %s", roughly(left), end),
			"renew it now, and find out why it was not renewed by itself")
		return
	}
	e.note(levelOK, checkCertificate, "valid until "+end+", from an authority that this machine trusts", "")
}

// probed returns what the service saw of the probe, if it answered it.
func (e *publicExam) probed(ctx context.Context, got *publicAnswer) (httpapi.Probed, bool) {
	probed, err := e.open(ctx, got)
	// Without a valid answer nothing below can be known, and guesses would mislead.
	switch {
	case e.cursors == nil:
		e.note(levelWarning, checkProxy, "Keyhole answers; the way to it is not checked, because the doctor cannot read "+
			"in Redis how to ask the service", "see the findings about Redis, and run keyhole doctor again")
	case err != nil:
		e.note(levelWarning, checkProxy, "Keyhole answers, but not the doctor's probe, so the way to it is not checked: "+
			"it uses another Redis or an earlier version, its clock differs, or a proxy removes the header "+
			httpapi.ProbeHeader,
			"run keyhole doctor with the configuration of the service, and let the proxy pass on all headers")
	}
	if err != nil {
		return probed, false
	}
	return probed, true
}

// withoutURL returns the reason of a failed request. The URL is known.
func withoutURL(err error) error {
	if failed, is := errors.AsType[*url.Error](err); is {
		return failed.Err
	}
	return err
}

// doAboutCertificate returns what to do about a certificate that is not valid.
func doAboutCertificate(err error) string {
	var invalid x509.CertificateInvalidError
	var name x509.HostnameError
	switch {
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return "renew the certificate, and check the clock of this machine"
	case errors.As(err, &name):
		return "use a certificate with the host of public.url among its names"
	}
	return "use a certificate from an authority that recipients trust, with its intermediate certificates; if all of " +
		"them have your own authority, install it on this machine too, or name its file in SSL_CERT_FILE"
}

// lastForwarded returns the last entry of X-Forwarded-For. The nearest proxy wrote it, if
// one of them did.
func lastForwarded(forwarded string) string {
	return strings.TrimSpace(forwarded[strings.LastIndexByte(forwarded, ',')+1:])
}
