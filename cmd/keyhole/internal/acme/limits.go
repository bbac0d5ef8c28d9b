package acme

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// maxAnswer bounds one answer of the authority, in bytes. A chain has a few thousand, and an
// order of 100 names a few ten thousand.
const maxAnswer = 1 << 20

var (
	errAnswerSize = fmt.Errorf("the answer of the certificate authority has more than %d bytes", maxAnswer)
	errRedirected = errors.New("the certificate authority redirected a signed request")
)

// limitedTransport sends requests to the authority. The configuration names only the
// directory; the URLs of all other requests come from the authority.
type limitedTransport struct {
	next      http.RoundTripper
	directory *url.URL
}

// limitClient returns a copy of client with the limits of this package.
func limitClient(client *http.Client, directory string) *http.Client {
	limited := *client
	// url.Parse fails for a URL that no request can be made of either.
	parsed, err := url.Parse(directory)
	if err != nil {
		parsed = &url.URL{}
	}
	limited.Transport = &limitedTransport{next: cmp.Or(client.Transport, http.DefaultTransport), directory: parsed}
	limited.CheckRedirect = func(r *http.Request, via []*http.Request) error {
		if len(via) > 3 {
			return errors.New("the certificate authority redirected more than three times")
		}
		if r.Method != http.MethodGet && r.Method != http.MethodHead || via[0].Method == http.MethodPost {
			return errRedirected // RFC 8555 section 6.4 signs the URL.
		}
		return nil
	}
	return &limited
}

// RoundTrip sends a request, by https only. If the operator has configured a directory
// without TLS, requests to its host may go without TLS too.
func (l *limitedTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Scheme != "https" && (r.URL.Scheme != l.directory.Scheme || r.URL.Host != l.directory.Host) {
		return nil, fmt.Errorf("the certificate authority named a URL without https, of %s", r.URL.Host)
	}
	response, err := l.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	response.Body = &limitedBody{ReadCloser: response.Body, left: maxAnswer}
	limitRetryAfter(response.Header, time.Now())
	return response, nil
}

// limitRetryAfter rewrites Retry-After to seconds, at least one. The client waits for this
// time between two requests for the state of an order: with a date in the past it would not
// wait at all. A date is relative to the clock of the authority, which its Date header tells.
func limitRetryAfter(header http.Header, now time.Time) {
	value := header.Get("Retry-After")
	if value == "" {
		return
	}
	if date, err := http.ParseTime(header.Get("Date")); err == nil {
		now = date
	}
	wait := max(time.Second, retryAfter(value, now))
	header.Set("Retry-After", strconv.FormatInt(int64(wait/time.Second), 10))
}

// limitedBody is the body of an answer. It fails instead of ending early, because the
// beginning of an answer can be valid.
type limitedBody struct {
	io.ReadCloser
	left int
}

// Read implements io.Reader.
func (b *limitedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if b.left -= n; b.left < 0 {
		return 0, errAnswerSize
	}
	return n, err
}
