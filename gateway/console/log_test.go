package console

import (
	"encoding/json"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	"keyhole/gateway"
)

// requests returns the log lines about requests as soon as there are n. A client may have
// the answer before its line is written.
func (b *bench) requests(t *testing.T, n int) []map[string]any {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		if found := b.logged(t); len(found) >= n || time.Now().After(deadline) {
			return found
		}
	}
}

// logged returns the log lines about requests.
func (b *bench) logged(t *testing.T) []map[string]any {
	t.Helper()
	var found []map[string]any
	for line := range strings.Lines(b.log.String()) {
		entry := map[string]any{}
		if err := json.Unmarshal([]byte(line), &entry); err != nil {
			t.Fatalf("the line %q: %v", line, err)
		}
		if entry["msg"] == "console request" {
			found = append(found, entry)
		}
	}
	return found
}

// Each request has one line with its page, status and operator, but with no text of the
// query, the path or the form.
func TestLogLine(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	id := b.issue(t, nil).Link.ID.String()
	c := b.signedIn(t, readKey)
	for i, send := range []func(){
		func() { c.get("/console/links?q=query-text&cursor=query-text") },
		func() { c.post("/console/links", url.Values{"q": {"form-text"}}) },
		func() { c.get("/console/path-text") },
		func() { c.do("INVENTED", "/console/links", nil) },
		func() { c.get("/console/links/" + id) },
		func() { c.post("/console/links/"+id+"/pause", nil) },
	} {
		send()
		b.requests(t, i+2) // in this order
	}
	want := []map[string]any{
		{"page": "sign-in", "method": "POST", "status": 303., "level": "INFO"},
		{"page": "links", "method": "GET", "status": 422., "actor": "reader", "level": "INFO"},
		{"page": "links", "method": "POST", "status": 422., "actor": "reader", "level": "INFO"},
		{"page": "none", "method": "GET", "status": 404., "level": "INFO"},
		{"page": "links", "method": "other", "status": 405., "level": "INFO"},
		{"page": "link", "method": "GET", "status": 200., "actor": "reader", "link": id, "level": "INFO"},
		{"page": "link", "method": "POST", "status": 403., "actor": "reader", "link": id, "level": "INFO"},
	}
	got := b.requests(t, len(want))
	if len(got) != len(want) {
		t.Fatalf("%d lines, want %d", len(got), len(want))
	}
	for i, line := range got {
		for name, value := range want[i] {
			if line[name] != value {
				t.Errorf("line %d: %s is %v, want %v", i, name, line[name], value)
			}
		}
		duration, ok := line["duration_us"].(float64)
		name, isText := line["request_id"].(string)
		if !ok || duration < 0 || !isText || name == "" || line["address"] != "127.0.0.1" {
			t.Errorf("line %d: %v", i, line)
		}
	}
	if log := b.log.String(); strings.Contains(log, "-text") || strings.Contains(log, "INVENTED") {
		t.Errorf("the log has what the client has sent: %s", log)
	}
}

// Every request is counted by page and status, and no client can add a label.
func TestRequestsCounted(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	c := b.signedIn(t, readKey)
	for _, path := range []string{"/console/a", "/console/b", "/console/objects", "/console/help", "/console/static/x"} {
		c.get(path)
		c.do("INVENTED", path, nil)
	}
	families, err := b.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]float64{}
	for _, family := range families {
		if family.GetName() != "keyhole_console_requests_total" {
			continue
		}
		for _, m := range family.GetMetric() {
			labels := map[string]string{}
			for _, pair := range m.GetLabel() {
				labels[pair.GetName()] = pair.GetValue()
			}
			if n := m.GetCounter().GetValue(); n > 0 { // every page has a series from the start
				got[labels["page"]+" "+labels["code"]] = n
			}
		}
	}
	want := map[string]float64{
		"sign-in 303": 1, "none 404": 4, "objects 403": 1, "objects 405": 1, "help 200": 1, "help 405": 1,
		"static 404": 1, "static 405": 1,
	}
	for series, n := range want {
		if got[series] != n {
			t.Errorf("%s is counted %v times, want %v", series, got[series], n)
		}
	}
	if len(got) != len(want) {
		t.Errorf("the series are %v", got)
	}
}

// Only a trusted proxy may state the client's address and the name of a request.
func TestProxies(t *testing.T) {
	t.Parallel()
	for _, trusted := range []bool{false, true} {
		b := newBench(t, func(o *Options) {
			if trusted {
				o.Proxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
			}
		})
		c := b.visitor(t)
		a := c.do(http.MethodPost, "/console/sign-in", url.Values{"key": {opsKey}},
			"X-Forwarded-For", "203.0.113.7", "X-Request-Id", "name-of-proxy")
		if got := a.header.Get("X-Request-Id") == "name-of-proxy"; got != trusted {
			t.Errorf("trusted %t: the name is %q", trusted, a.header.Get("X-Request-Id"))
		}
		want := "127.0.0.1"
		if trusted {
			want = "203.0.113.7"
		}
		if line := b.requests(t, 1)[0]; line["address"] != want {
			t.Errorf("trusted %t: the log has %v", trusted, line["address"])
		}
		if events := b.audit(t); len(events) != 1 || events[0].Address != want || events[0].Kind != gateway.EventSignedIn {
			t.Errorf("trusted %t: the audit has %+v", trusted, events)
		}
	}
}
