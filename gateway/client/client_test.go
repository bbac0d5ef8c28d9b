package client

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"keyhole/gateway/api"
)

const key = "key-canary"

// request is one request that the server received.
type request struct {
	method, target, authorization, contentType, body string
}

// server gives the same answer to every request and records the requests.
type server struct {
	*httptest.Server
	requests []request
}

// newServer starts a server and returns a client of it.
func newServer(t *testing.T, status int, contentType, body string, headers ...string) (*server, *Client) {
	t.Helper()
	s := &server{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		sent, err := io.ReadAll(r.Body)
		if err != nil {
			t.Errorf("read the request: %v", err)
		}
		s.requests = append(s.requests, request{
			r.Method, r.RequestURI, r.Header.Get("Authorization"), r.Header.Get("Content-Type"), string(sent),
		})
		w.Header().Set("Content-Type", contentType)
		for i := 0; i+1 < len(headers); i += 2 {
			w.Header().Set(headers[i], headers[i+1])
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body) // the client may have hung up
	}))
	t.Cleanup(s.Close)
	c, err := New(s.URL, key)
	if err != nil {
		t.Fatal(err)
	}
	return s, c
}

func TestNew(t *testing.T) {
	t.Parallel()
	for base, want := range map[string]string{
		"http://127.0.0.1:8081": "http://127.0.0.1:8081", "https://keyhole.example.com/": "https://keyhole.example.com",
		"http://[::1]:8081": "http://[::1]:8081", "HTTPS://a.example": "https://a.example",
	} {
		c, err := New(base, key)
		if err != nil || c.base != want {
			t.Errorf("%q: got %+v, %v", base, c, err)
		}
	}
	for _, base := range []string{
		"", "127.0.0.1:8081", "localhost", "ftp://a.example", "http://", "http:///x", "http://a.example/api", "http://a b",
		":", "file:///etc/passwd", "http://user:canary@a.example", "http://a.example?canary", "http://a.example#canary",
		"khk_canary",
	} {
		if _, err := New(base, key); !errors.Is(err, ErrAddress) || strings.Contains(err.Error(), "canary") {
			t.Errorf("%q: got %v", base, err)
		}
	}
}

func TestEveryMethod(t *testing.T) {
	t.Parallel()
	const id = "abcdefghijklmnopqrstuvwxyz"
	link := `{"id":"` + id + `","state":"active","key":"a"}`
	tests := []struct {
		name   string
		answer string
		call   func(context.Context, *Client) (any, error)
		want   request
		got    string // of what call returned, as JSON holds it
	}{
		{
			"issue", link,
			func(ctx context.Context, c *Client) (any, error) {
				return c.Issue(ctx, api.IssueRequest{Bucket: "reports", Key: "<a> & \u2028é", Sensitive: new(false)})
			},
			request{
				method: "POST", target: "/api/v1/links", contentType: "application/json",
				body: `{"bucket":"reports","key":"\u003ca\u003e \u0026 \u2028é","sensitive":false}`,
			},
			id,
		},
		{
			"list all", `{"links":[` + link + `],"next":"n"}`,
			func(ctx context.Context, c *Client) (any, error) { return c.List(ctx, ListOptions{}) },
			request{method: "GET", target: "/api/v1/links"},
			`"next":"n"`,
		},
		{
			"list some", `{"links":[]}`,
			func(ctx context.Context, c *Client) (any, error) {
				return c.List(ctx, ListOptions{
					State: "active", Bucket: "b", Prefix: "a b/&=+%é", CreatedBy: "ci", Label: "team=a", Cursor: "c==", Limit: 7,
				})
			},
			request{method: "GET", target: "/api/v1/links?bucket=b&created_by=ci&cursor=c%3D%3D&label=team%3Da&limit=7" +
				"&prefix=a+b%2F%26%3D%2B%25%C3%A9&state=active"},
			`"links":[]`,
		},
		{
			"list a key", `{"links":[]}`,
			func(ctx context.Context, c *Client) (any, error) { return c.List(ctx, ListOptions{Key: "\xff"}) },
			request{method: "GET", target: "/api/v1/links?key=%FF"},
			`"links":[]`,
		},
		{
			"show", link,
			func(ctx context.Context, c *Client) (any, error) { return c.Show(ctx, id) },
			request{method: "GET", target: "/api/v1/links/" + id},
			id,
		},
		{
			"show what is no id", link,
			func(ctx context.Context, c *Client) (any, error) { return c.Show(ctx, "../x?y#z%") },
			request{method: "GET", target: "/api/v1/links/..%2Fx%3Fy%23z%25"},
			id,
		},
		{
			"revoke", link,
			func(ctx context.Context, c *Client) (any, error) { return c.Revoke(ctx, id, "") },
			request{method: "DELETE", target: "/api/v1/links/" + id},
			id,
		},
		{
			"revoke with a reason", link,
			func(ctx context.Context, c *Client) (any, error) { return c.Revoke(ctx, id, "a & b") },
			request{method: "DELETE", target: "/api/v1/links/" + id + "?reason=a+%26+b"},
			id,
		},
		{
			"events", `{"events":[{"kind":"issued"}]}`,
			func(ctx context.Context, c *Client) (any, error) { return c.Events(ctx, id, "", 0) },
			request{method: "GET", target: "/api/v1/links/" + id + "/events"},
			`"kind":"issued"`,
		},
		{
			"more events", `{"events":[],"next":"n"}`,
			func(ctx context.Context, c *Client) (any, error) { return c.Events(ctx, id, "c", 5) },
			request{method: "GET", target: "/api/v1/links/" + id + "/events?cursor=c&limit=5"},
			`"next":"n"`,
		},
		{
			"buckets", `{"buckets":[{"storage":"main","bucket":"reports"}]}`,
			func(ctx context.Context, c *Client) (any, error) { return c.Buckets(ctx) },
			request{method: "GET", target: "/api/v1/buckets"},
			`"bucket":"reports"`,
		},
		{
			"objects", `{"folders":["a/"],"next":"n"}`,
			func(ctx context.Context, c *Client) (any, error) {
				return c.Objects(ctx,
					ObjectsOptions{Storage: "main", Bucket: "b", Prefix: "a b/&+%é", Search: "x y", Cursor: "c==", Limit: 7})
			},
			request{
				method: "GET",
				target: "/api/v1/objects?bucket=b&cursor=c%3D%3D&limit=7&prefix=a+b%2F%26%2B%25%C3%A9&search=x+y&storage=main",
			},
			`"next":"n"`,
		},
		{
			"alive", "ok\n",
			func(ctx context.Context, c *Client) (any, error) { return nil, c.Alive(ctx) },
			request{method: "GET", target: "/livez"},
			`null`,
		},
		{
			"ready", `{"ready":true,"redis":"ok"}`,
			func(ctx context.Context, c *Client) (any, error) { return c.Ready(ctx) },
			request{method: "GET", target: "/readyz"},
			`"ready":true`,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s, c := newServer(t, http.StatusOK, api.MediaType, tt.answer)
			got, err := tt.call(t.Context(), c)
			if err != nil {
				t.Fatal(err)
			}
			tt.want.authorization = "Bearer " + key
			if len(s.requests) != 1 || s.requests[0] != tt.want {
				t.Errorf("asked %+v\nwant  %+v", s.requests, tt.want)
			}
			if text, err := json.Marshal(got); err != nil || !strings.Contains(string(text), tt.got) {
				t.Errorf("got %s, %v; want %s in it", text, err, tt.got)
			}
		})
	}
}

// JSON cannot hold these bytes. With U+FFFD in their place, the request would share another
// object.
func TestIssueIsNotUTF8(t *testing.T) {
	t.Parallel()
	for name, r := range map[string]api.IssueRequest{
		"key":      {Bucket: "reports", Key: "a\xff"},
		"bucket":   {Bucket: "\xc0\xaf", Key: "a"},
		"filename": {Bucket: "reports", Key: "a", Filename: "\xed\xa0\x80"},
		"note":     {Bucket: "reports", Key: "a", Note: "\x80"},
		"language": {Bucket: "reports", Key: "a", Language: "\x80"},
		"label":    {Bucket: "reports", Key: "a", Labels: map[string]string{"a": "\xff"}},
	} {
		s, c := newServer(t, http.StatusCreated, api.MediaType, `{}`)
		if _, err := c.Issue(t.Context(), r); !errors.Is(err, ErrNotUTF8) {
			t.Errorf("%s: got %v", name, err)
		}
		if len(s.requests) != 0 {
			t.Errorf("%s: sent %s", name, s.requests[0].body)
		}
	}
	s, c := newServer(t, http.StatusCreated, api.MediaType, `{}`)
	if _, err := c.Issue(t.Context(), api.IssueRequest{Bucket: "reports", Key: "\ufffd"}); err != nil ||
		len(s.requests) != 1 {
		t.Errorf("a key that does hold U+FFFD: %v", err)
	}
}

func TestProblems(t *testing.T) {
	t.Parallel()
	tests := []struct {
		body, want string
		fields     int
	}{
		{
			`{"type":"urn:keyhole:problem:not_found","title":"Not Found","status":404,"code":"not_found",` +
				`"detail":"there is no such link"}`, "there is no such link", 0,
		},
		{
			`{"code":"invalid","detail":"see errors","errors":[` +
				`{"field":"key","code":"required","message":"say which object"},` +
				`{"field":"note","code":"too_long","message":"too long"}]}`,
			"key: say which object; note: too long", 2,
		},
	}
	for _, tt := range tests {
		_, c := newServer(t, http.StatusNotFound, api.ProblemType, tt.body)
		_, show := c.Show(t.Context(), "x")
		_, list := c.List(t.Context(), ListOptions{})
		_, issue := c.Issue(t.Context(), api.IssueRequest{})
		_, revoke := c.Revoke(t.Context(), "x", "")
		_, events := c.Events(t.Context(), "x", "", 0)
		for _, err := range []error{show, list, issue, revoke, events} {
			var refusal *Error
			if !errors.As(err, &refusal) || err.Error() != tt.want || len(refusal.Errors) != tt.fields || refusal.Code == "" {
				t.Errorf("got %#v, want %s", err, tt.want)
			}
		}
	}
}

func TestAnswersThatAreNotKeyholes(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, contentType, body string
		status                  int
		notKeyhole              bool
	}{
		{"a proxy's page", "text/html", "<html>502</html>", 502, true},
		{"JSON of another", "application/json", `{"error":"x"}`, 500, true},
		{"nothing", "", "", 404, true},
		{"nothing at all", "", "", 200, true},
		{"half a link", "application/json", `{"id":`, 200, false},
		{"a page for a link", "text/html", "<html>", 200, true},
		{"another's list", "application/json", `[]`, 200, true},
	}
	for _, tt := range tests {
		_, c := newServer(t, tt.status, tt.contentType, tt.body)
		_, err := c.Show(t.Context(), "x")
		var refusal *Error
		if err == nil || errors.As(err, &refusal) || errors.Is(err, ErrUnreachable) ||
			errors.Is(err, ErrNotKeyhole) != tt.notKeyhole {
			t.Errorf("%s: got %v", tt.name, err)
		}
	}
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	t.Parallel()
	for _, status := range []int{301, 302, 303, 307, 308} {
		other, _ := newServer(t, http.StatusOK, api.MediaType, `{}`)
		_, c := newServer(t, status, "", "", "Location", other.URL+"/api/v1/links/x")
		_, show := c.Show(t.Context(), "x")
		_, issue := c.Issue(t.Context(), api.IssueRequest{Bucket: "b", Key: "k"})
		_, ready := c.Ready(t.Context())
		for _, err := range []error{show, issue, ready, c.Alive(t.Context())} {
			if err == nil {
				t.Errorf("%d: no error", status)
			}
		}
		if len(other.requests) != 0 {
			t.Errorf("%d: the key went to another server: %+v", status, other.requests)
		}
	}
}

func TestNoKeyNoHeader(t *testing.T) {
	t.Parallel()
	s, _ := newServer(t, http.StatusOK, "text/plain", "ok")
	c, err := New(s.URL, "")
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Alive(t.Context()); err != nil || s.requests[0].authorization != "" {
		t.Errorf("got %v, %+v", err, s.requests)
	}
}

// TestFirstLabelThatIsNotUTF8 names the same label each time.
func TestFirstLabelThatIsNotUTF8(t *testing.T) {
	t.Parallel()
	c, err := New("http://127.0.0.1:1", "key")
	if err != nil {
		t.Fatal(err)
	}
	labels := map[string]string{"a": "fine", "b": "\xff1", "c": "\xff2", "d": "\xff3", "e": "\xff4"}
	for range 50 {
		_, err := c.Issue(t.Context(), api.IssueRequest{Labels: labels})
		if !errors.Is(err, ErrNotUTF8) || !strings.Contains(err.Error(), `"\xff1"`) {
			t.Fatalf("got %v", err)
		}
	}
}
