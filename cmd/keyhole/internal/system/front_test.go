//go:build system

package system

import (
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"sync/atomic"
	"testing"

	"keyhole/gateway/objects/s3test"
)

// storageFront is a proxy in front of a storage. It can answer a request itself,
// or change the storage's answer.
type storageFront struct {
	// serve answers a request instead of the storage if it returns true.
	serve atomic.Pointer[func(http.ResponseWriter, *http.Request) bool]
	// change changes the headers of the storage's answers.
	change atomic.Pointer[changeHeaders]
	url    string
}

// changeHeaders changes the headers of the storage's answer to a request.
type changeHeaders func(r *http.Request, status int, h http.Header)

// startFront starts a proxy in front of server and returns it with the server as
// clients reach it through the proxy. The test's own requests, such as Put, go to
// the server directly.
func startFront(t *testing.T, server *s3test.Server) (*storageFront, *s3test.Server) {
	t.Helper()
	target, err := url.Parse(server.Endpoint())
	if err != nil {
		t.Fatal(err)
	}
	front := &storageFront{}
	front.changeAnswers(func(*http.Request, int, http.Header) {})
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(target)
			r.Out.Host = r.In.Host // the signature covers it
		},
		ModifyResponse: func(r *http.Response) error {
			(*front.change.Load())(r.Request, r.StatusCode, r.Header)
			return nil
		},
	}
	listener := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if serve := front.serve.Load(); serve != nil && (*serve)(w, r) {
			return
		}
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(listener.Close)
	front.url = listener.URL
	behind := *server
	behind.Addr = listener.Listener.Addr().String()
	return front, &behind
}

// answerWith sets the function that answers requests instead of the storage; nil
// removes it.
func (f *storageFront) answerWith(serve func(http.ResponseWriter, *http.Request) bool) {
	if serve == nil {
		f.serve.Store(nil)
		return
	}
	f.serve.Store(&serve)
}

// changeAnswers sets the function that changes the storage's headers.
func (f *storageFront) changeAnswers(change changeHeaders) { f.change.Store(&change) }
