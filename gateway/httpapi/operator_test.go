package httpapi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"keyhole/gateway"
	"keyhole/gateway/api"
	"keyhole/gateway/convert"
)

// operator sends a request with a key to the operator listener.
func (b *bench) operator(key, method, target, body string, headers ...string) answer {
	if body != "" && len(headers) == 0 {
		headers = []string{"Content-Type", "application/json"}
	}
	return ask(b.api.Operator(), method, target, body, append(headers, "Authorization", "Bearer "+key)...)
}

// wantOperatorHeaders fails the test unless an answer has the headers of all answers to
// operators.
func wantOperatorHeaders(t *testing.T, what string, a answer) {
	t.Helper()
	for name, want := range map[string]string{
		"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer",
		"Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
	} {
		if got := a.header[name]; len(got) != 1 || got[0] != want {
			t.Errorf("%s: %s is %q, want %q", what, name, got, want)
		}
	}
}

func TestEveryRouteNeedsAKey(t *testing.T) {
	t.Parallel()
	operator := newBench(t, nil).api.Operator()
	for _, r := range routesOf(operators) {
		if a := ask(operator, r.method, strings.ReplaceAll(r.path, ":id", strings.Repeat("a", 26)), ""); a.status != 401 {
			t.Errorf("%s %s: got %d", r.method, r.path, a.status)
		}
	}
}

func TestActionsOfAKey(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	reports, exports := b.put("reports", "a"), b.put("exports", "a")
	issue := func(bucket string) string { return fmt.Sprintf(`{"bucket":%q,"key":"a"}`, bucket) }
	tests := []struct {
		key, method, target, body string
		status                    int
		code                      string
	}{
		{readKey, "POST", "/api/v1/links", issue("exports"), 403, "forbidden"},
		{readKey, "DELETE", "/api/v1/links/" + exports, "", 403, "forbidden"},
		{readKey, "GET", "/api/v1/links/" + exports, "", 200, ""},
		{readKey, "GET", "/api/v1/openapi.yaml", "", 200, ""},
		{exportsKey, "POST", "/api/v1/links", issue("reports"), 403, "out_of_scope"},
		{exportsKey, "POST", "/api/v1/links", issue("exports"), 201, ""},
		{exportsKey, "GET", "/api/v1/links/" + reports, "", 404, "not_found"},
		{exportsKey, "GET", "/api/v1/links/" + reports + "/events", "", 404, "not_found"},
		{exportsKey, "DELETE", "/api/v1/links/" + reports, "", 404, "not_found"},
		{exportsKey, "DELETE", "/api/v1/links/" + exports, "", 200, ""},
	}
	for _, tt := range tests {
		a := b.operator(tt.key, tt.method, tt.target, tt.body)
		if a.status != tt.status {
			t.Errorf("%s: %s %s: got %d, want %d: %s", tt.key, tt.method, tt.target, a.status, tt.status, a.body)
		} else if tt.code != "" && a.problem(t).Code != tt.code {
			t.Errorf("%s: %s %s: got %s, want %s", tt.key, tt.method, tt.target, a.body, tt.code)
		}
	}
}

func TestErrorsBecomeResponses(t *testing.T) {
	t.Parallel()
	const canary = "a cause that must not be shown"
	tests := []struct {
		err    error
		status int
		code   string
	}{
		{gateway.Errorf(gateway.CodeBadRequest, "m"), 400, "bad_request"},
		{gateway.Errorf(gateway.CodeUnauthorized, "m"), 401, "unauthorized"},
		{gateway.Errorf(gateway.CodeForbidden, "m"), 403, "forbidden"},
		{gateway.Errorf(gateway.CodeOutOfScope, "m"), 403, "out_of_scope"},
		{gateway.Errorf(gateway.CodeNotFound, "m"), 404, "not_found"},
		{gateway.Errorf(gateway.CodeMethod, "m"), 405, "method_not_allowed"},
		{gateway.Errorf(gateway.CodeTooLarge, "m"), 413, "too_large"},
		{gateway.Errorf(gateway.CodeMediaType, "m"), 415, "unsupported_media_type"},
		{gateway.Errorf(gateway.CodeInvalid, "m"), 422, "invalid"},
		{gateway.Errorf(gateway.CodeUnavailable, "m"), 503, "unavailable"},
		{gateway.Errorf(gateway.CodeNotConfirmed, "m"), 503, "not_confirmed"},
		{&gateway.Error{Code: gateway.CodeUnavailable, Message: "m", Err: errors.New(canary)}, 503, "unavailable"},
		{fmt.Errorf("outer: %w", gateway.Errorf(gateway.CodeNotFound, "m")), 404, "not_found"},
		{errors.New(canary), 500, "internal"},
		{gateway.ErrUnavailable, 500, "internal"}, // not put into words: nothing is known of it
		{errPanic, 500, "internal"},
	}
	for _, tt := range tests {
		problem := problemOf(tt.err)
		if status := convert.Status(problem.Code); status != tt.status || string(problem.Code) != tt.code ||
			problem.Message == "" || strings.Contains(problem.Message, canary) {
			t.Errorf("%v: got %d %s %q, want %d %s", tt.err, status, problem.Code, problem.Message, tt.status, tt.code)
		}
	}
}

func TestUnavailableSaysWhenToComeBack(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	b.store.err = gateway.ErrUnavailable
	id := b.put("reports", "a")
	for _, r := range [][2]string{
		{"GET", "/api/v1/links"},
		{"GET", "/api/v1/links/" + id},
		{"DELETE", "/api/v1/links/" + id},
	} {
		a := b.operator(opsKey, r[0], r[1], "")
		if p := a.problem(t); a.status != 503 || p.Code != "unavailable" || a.header.Get("Retry-After") != "5" {
			t.Errorf("%v: got %d, %+v, Retry-After %q", r, a.status, p, a.header.Get("Retry-After"))
		}
	}
}

func TestPanicOfAnOperatorsRequest(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	b.store.panic = "panic-canary"
	a := b.operator(opsKey, "GET", "/api/v1/links", "")
	if p := a.problem(t); a.status != 500 || p.Code != "internal" {
		t.Errorf("got %d, %s", a.status, a.body)
	}
	if all := a.body + b.log.String(); strings.Contains(all, "canary") || !strings.Contains(all, "handler panicked") {
		t.Errorf("the answer and the log say %s", all)
	}
	if n := b.count(t, "keyhole_api_requests_total{code=500,method=GET,route=/api/v1/links}"); n != 1 {
		t.Errorf("counted %v", n)
	}
}

func TestPathsAndMethodsThatAreNotThere(t *testing.T) {
	t.Parallel()
	id := strings.Repeat("a", 26)
	tests := []struct {
		method, target string
		status         int
		allow          []string
	}{
		{"GET", "/", 404, nil},
		{"GET", "/api/v1/", 404, nil},
		{"GET", "/api/v2/links", 404, nil},
		{"GET", "/api/v1/links/", 404, nil},
		{"GET", "/api/v1/links/" + id + "/", 404, nil},
		{"GET", "/api/v1/links/" + id + "/event", 404, nil},
		{"GET", "/api/v1/links/" + id[1:], 404, nil},
		{"GET", "/api/v1/links/" + strings.ToUpper(id), 404, nil},
		{"GET", "/api/v1/links/" + liveToken, 404, nil},
		{"GET", "/api/v1/links/" + id + "%2fevents", 404, nil},
		{"DELETE", "/api/v1/links/" + id[1:], 404, nil},
		{"GET", "/api/v1/links/" + id[1:] + "/events", 404, nil},
		{"GET", "/api/v1/links/../links", 404, nil},
		{"GET", "//api/v1/links", 404, nil},
		{"PUT", "/api/v1/links", 405, []string{"GET", "POST"}},
		{"OPTIONS", "/api/v1/links", 405, []string{"GET", "POST"}},
		{"HEAD", "/api/v1/links", 405, []string{"GET", "POST"}},
		{"PUT", "/api/v1/links/" + id, 405, []string{"DELETE", "GET", "PATCH"}},
		{"TRACE", "/api/v1/links/" + id, 405, []string{"DELETE", "GET", "PATCH"}},
		{"FOO", "/api/v1/links/" + id + "/events", 405, []string{"GET"}},
		{"POST", "/metrics", 405, []string{"GET", "HEAD"}},
		{"OPTIONS", "/x", 404, nil},
		{"OPTIONS", "/", 404, nil},
		{"OPTIONS", "/api/v2/links", 404, nil},
		{"OPTIONS", "/metrics", 405, []string{"GET", "HEAD"}},
		{"DELETE", "/readyz", 405, []string{"GET", "HEAD"}},
	}
	b := newBench(t, nil)
	for _, tt := range tests {
		a := b.operator(opsKey, tt.method, tt.target, "")
		what := tt.method + " " + tt.target
		if a.status != tt.status {
			t.Errorf("%s: got %d, want %d", what, a.status, tt.status)
		}
		if tt.method == http.MethodHead {
			if a.body != "" || a.header.Get("Content-Type") != api.ProblemType {
				t.Errorf("%s: %q as %s", what, a.body, a.header.Get("Content-Type"))
			}
		} else if code := a.problem(t).Code; code != map[int]string{404: "not_found", 405: "method_not_allowed"}[tt.status] {
			t.Errorf("%s: the code is %s", what, code)
		}
		var allow []string
		for name := range strings.SplitSeq(a.header.Get("Allow"), ",") {
			if name = strings.TrimSpace(name); name != "" {
				allow = append(allow, name)
			}
		}
		slices.Sort(allow)
		if !slices.Equal(allow, tt.allow) {
			t.Errorf("%s: Allow is %v, want %v", what, allow, tt.allow)
		}
		wantOperatorHeaders(t, what, a)
	}
}

func TestHealthNeedsNoKey(t *testing.T) {
	t.Parallel()
	together, apart := newBench(t, nil), newBench(t, func(o *Options) { o.MetricsApart = true })
	for name, handler := range map[string]http.Handler{"operator": together.api.Operator(), "health": apart.api.Health()} {
		if a := ask(handler, "GET", "/livez", ""); a.status != 200 || a.body != "ok\n" {
			t.Errorf("%s: livez: %d %q", name, a.status, a.body)
		}
		if a := ask(handler, "HEAD", "/livez", ""); a.status != 200 || a.body != "" {
			t.Errorf("%s: HEAD of livez: %d %q", name, a.status, a.body)
		}
		if a := ask(handler, "GET", "/metrics", ""); a.status != 200 || !strings.Contains(a.body, "keyhole_clicks_total{") {
			t.Errorf("%s: metrics: %d", name, a.status)
		}
		if a := ask(handler, "GET", "/readyz", ""); a.status != 200 ||
			a.body != `{"ready":true,"redis":"ok","storages":{"main":"ok"}}`+"\n" {
			t.Errorf("%s: readyz: %d %s", name, a.status, a.body)
		}
	}
	if a := ask(apart.api.Health(), "GET", "/api/v1/links", "", "Authorization", "Bearer "+opsKey); a.status != 404 {
		t.Errorf("the health listener has the API: %d", a.status)
	}
	for _, path := range []string{"/livez", "/readyz", "/metrics"} {
		if a := ask(apart.api.Operator(), "GET", path, "", "Authorization", "Bearer "+opsKey); a.status != 404 {
			t.Errorf("%s is on the operator listener although it has one of its own: %d", path, a.status)
		}
	}
	if together.log.String() != "" {
		t.Errorf("health checks and scrapes are logged: %s", together.log)
	}
}

func TestNotReady(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	b.readiness = api.Readiness{Redis: "not a writable master", Storages: map[string]string{"main": "does not answer"}}
	a := ask(b.api.Operator(), "GET", "/readyz", "")
	var got api.Readiness
	if err := json.Unmarshal([]byte(a.body), &got); err != nil || a.status != 503 || got.Ready ||
		got.Redis != b.readiness.Redis {
		t.Errorf("got %d, %+v, %v", a.status, got, err)
	}
	if a := ask(b.api.Operator(), "GET", "/livez", ""); a.status != 200 {
		t.Errorf("livez: %d", a.status)
	}
}

func TestRequestLog(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	id := b.put("reports", "secret-object-name")
	issued := b.operator(opsKey, "POST", "/api/v1/links", `{"bucket":"exports","key":"a","note":"note-canary"}`)
	var link api.Link
	if err := json.Unmarshal([]byte(issued.body), &link); err != nil {
		t.Fatal(err)
	}
	b.operator(readKey, "GET", "/api/v1/links/"+id, "")
	b.operator(readKey, "DELETE", "/api/v1/links/"+id+"?reason=reason-canary", "")
	b.operator("wrong-key-canary", "GET", "/api/v1/links", "")
	b.operator(opsKey, "GET", "/api/v1/links/"+liveToken, "")
	b.operator(opsKey, "GET", "/nothing-canary", "")
	want := []map[string]any{
		{"route": "/api/v1/links", "method": "POST", "status": 201.0, "actor": "ops", "link": link.ID},
		{"route": "/api/v1/links/:id", "method": "GET", "status": 200.0, "actor": "reader", "link": id},
		{"route": "/api/v1/links/:id", "method": "DELETE", "status": 403.0, "actor": "reader", "link": id},
		{"route": "/api/v1/links", "method": "GET", "status": 401.0, "actor": nil, "link": nil},
		{"route": "/api/v1/links/:id", "method": "GET", "status": 404.0, "actor": "ops", "link": nil},
		{"route": "none", "method": "GET", "status": 404.0, "actor": nil, "link": nil},
	}
	lines := b.lines(t)
	if len(lines) != len(want) {
		t.Fatalf("%d lines for %d requests: %s", len(lines), len(want), b.log)
	}
	for i, l := range lines {
		for name, value := range want[i] {
			if l[name] != value {
				t.Errorf("line %d: %s is %v, want %v", i, name, l[name], value)
			}
		}
		if _, logged := l["error"]; logged != (want[i]["status"].(float64) >= 400) {
			t.Errorf("line %d: its error is %v", i, l["error"])
		}
		if l["msg"] != "operator request" || l["address"] != "192.0.2.1" {
			t.Errorf("line %d: %v", i, l)
		}
	}
	for _, secret := range []string{
		"canary", liveToken, strings.TrimPrefix(link.URL, "https://dl.example.com/"),
		"secret-object-name",
	} {
		if strings.Contains(b.log.String(), secret) {
			t.Errorf("the log holds %s:\n%s", secret, b.log)
		}
	}
}

func TestLabelsOfOperatorsRequestsAreBounded(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	for i := range 50 {
		for _, target := range []string{
			"/%d", "/api/%d", "/api/v1/links/%d", "/api/v1/links/%d/events",
			"/api/v1/links/%d/%[1]d", "/api/v1/links?x%d",
		} {
			for _, method := range []string{"GET", "DELETE", "PATCH", fmt.Sprintf("M%d", i)} {
				ask(b.api.Operator(), method, fmt.Sprintf(target, i), "", "Authorization", fmt.Sprint("Bearer ", i))
			}
		}
	}
	routes := map[string]bool{"none": true}
	for _, r := range routesOf(operators) {
		routes[r.path] = true
	}
	seen := 0
	for series := range b.counters(t) {
		labels, ok := strings.CutPrefix(series, "keyhole_api_requests_total{")
		if !ok {
			continue
		}
		seen++
		parts := strings.Split(strings.TrimSuffix(labels, "}"), ",")
		if route := strings.TrimPrefix(parts[2], "route="); !routes[route] {
			t.Errorf("%q is no route", route)
		}
		if method := strings.TrimPrefix(parts[1], "method="); foldMethod(method) != method {
			t.Errorf("%q is no method", method)
		}
	}
	if seen == 0 || seen > 30 {
		t.Errorf("%d series", seen)
	}
}

// An operator who hangs up is no outage: the metrics do not count a 503, which would raise an
// alert, and the log has no error.
func TestOperatorWhoHungUp(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	b.store.err = context.Canceled
	ctx, hangUp := context.WithCancel(t.Context())
	hangUp()
	r := httptest.NewRequestWithContext(ctx, http.MethodGet, "/api/v1/links", nil)
	r.Header.Set("Authorization", "Bearer "+opsKey)
	b.api.Operator().ServeHTTP(httptest.NewRecorder(), r)
	if n := b.count(t, "keyhole_api_requests_total{code=499,method=GET,route=/api/v1/links}"); n != 1 {
		t.Errorf("%v requests counted as 499, want 1", n)
	}
	if lines := b.lines(t); len(lines) != 1 || lines[0]["level"] != "INFO" || lines[0]["status"] != 499.0 {
		t.Errorf("logged %v", lines)
	}
}
