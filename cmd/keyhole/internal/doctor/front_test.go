package doctor

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"log"
	"maps"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"

	"keyhole/gateway/httpapi"
)

// front is a proxy in front of Keyhole. The zero value appends to X-Forwarded-For, and
// changes nothing else.
type front struct {
	forwarded    string // X-Forwarded-For; empty: appended, "-": none
	tls          bool
	certificate  *tls.Certificate // nil: one of httptest
	cache        bool             // keeps the first answer
	headIsGet    bool
	page         string // instead of the content
	maxHeader    int    // the longest header that it passes on, in bytes; 0: any
	withoutProbe bool   // removes the header of probes

	mu   sync.Mutex
	kept *httptest.ResponseRecorder
}

// start starts the proxy. upstream is the host and port of Keyhole.
func (f *front) start(t *testing.T, upstream string) *httptest.Server {
	t.Helper()
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f.serve(w, r, upstream)
	}))
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	t.Cleanup(server.Close)
	if f.certificate != nil {
		server.TLS = &tls.Config{Certificates: []tls.Certificate{*f.certificate}, MinVersion: tls.VersionTLS12}
	}
	if f.tls {
		server.StartTLS()
	} else {
		server.Start()
	}
	return server
}

// rootsOf returns the authorities that trust a server of httptest.
func rootsOf(server *httptest.Server) *x509.CertPool {
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())
	return roots
}

// serve answers a request.
func (f *front) serve(w http.ResponseWriter, r *http.Request, upstream string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	got := f.kept
	if got == nil {
		got = f.ask(r, upstream)
	}
	if f.cache {
		f.kept = got
	}
	for _, lines := range got.Header() {
		if f.maxHeader > 0 && len(strings.Join(lines, "")) > f.maxHeader {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
	}
	maps.Copy(w.Header(), got.Header())
	content := got.Body.String()
	if f.page != "" {
		content = f.page
		w.Header().Set("Content-Length", strconv.Itoa(len(content)))
	}
	w.WriteHeader(got.Code)
	if r.Method != http.MethodHead {
		_, _ = io.WriteString(w, content)
	}
}

// ask passes the request on.
func (f *front) ask(r *http.Request, upstream string) *httptest.ResponseRecorder {
	got := httptest.NewRecorder()
	method := r.Method
	if f.headIsGet {
		method = http.MethodGet
	}
	out, err := http.NewRequestWithContext(r.Context(), method, "http://"+upstream+r.URL.RequestURI(), http.NoBody)
	if err != nil {
		panic(err) // the request was valid
	}
	out.Header = r.Header.Clone()
	client, _, _ := strings.Cut(r.RemoteAddr, ":")
	switch f.forwarded {
	case "":
		out.Header.Set("X-Forwarded-For", r.Header.Get("X-Forwarded-For")+", "+client)
	case "-":
		out.Header.Del("X-Forwarded-For")
	default:
		out.Header.Set("X-Forwarded-For", f.forwarded)
	}
	if f.withoutProbe {
		out.Header.Del(httpapi.ProbeHeader)
	}
	answer, err := http.DefaultTransport.RoundTrip(out)
	if err != nil {
		got.Code = http.StatusBadGateway
		return got
	}
	defer answer.Body.Close()
	got.Code = answer.StatusCode
	maps.Copy(got.Header(), answer.Header)
	_, _ = io.Copy(got.Body, answer.Body) // an answer that is cut short fails the test
	return got
}
