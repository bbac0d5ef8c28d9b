package main

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// TestEach calls the function once for every token, with its index, several at once.
func TestEach(t *testing.T) {
	for _, n := range []int{0, 1, askers, 3*askers + 1} {
		tokens := make([]string, n)
		for i := range tokens {
			tokens[i] = fmt.Sprint("token ", i)
		}
		var mu sync.Mutex
		called := map[int]string{}
		err := each(tokens, func(i int, token string) error {
			mu.Lock()
			defer mu.Unlock()
			if had, twice := called[i]; twice {
				t.Errorf("index %d was called twice, before with %q", i, had)
			}
			called[i] = token
			return nil
		})
		if err != nil || len(called) != n {
			t.Errorf("%d of %d tokens, %v", len(called), n, err)
		}
		for i, token := range called {
			if token != tokens[i] {
				t.Errorf("index %d has %q", i, token)
			}
		}
	}
}

// TestEachIsConcurrent has as many calls at the same time as there are askers.
func TestEachIsConcurrent(t *testing.T) {
	var waiting sync.WaitGroup
	waiting.Add(askers)
	err := each(make([]string, askers), func(int, string) error {
		waiting.Done()
		waiting.Wait() // Fewer askers would wait forever.
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// TestEachFails returns an error of a call and does not finish the list of its asker.
func TestEachFails(t *testing.T) {
	cause := errors.New("refused")
	var calls atomic.Int64
	err := each(make([]string, 100*askers), func(i int, _ string) error {
		calls.Add(1)
		if i%2 == 0 {
			return cause
		}
		return nil
	})
	if !errors.Is(err, cause) {
		t.Errorf("got %v", err)
	}
	// Half of the askers ask for even indexes only, and fail at once.
	if n := calls.Load(); n != askers/2+100*askers/2 {
		t.Errorf("%d calls", n)
	}
}

// TestFirstRequest sends the form of a confirmation, and an address for each link.
func TestFirstRequest(t *testing.T) {
	for name, tt := range map[string]struct {
		row                     row
		i                       int
		form, contentType, from string
	}{
		"a click":                   {row{method: "GET"}, 7, "", "", ""},
		"a confirmation":            {row{method: "POST"}, 7, "1", "application/x-www-form-urlencoded", ""},
		"a click of another client": {row{method: "GET", forwarded: true}, 7, "", "", "10.0.0.7"},
		"a browser":                 {row{method: "GET", page: true}, 7, "", "", ""},
		"of the last client":        {row{method: "GET", forwarded: true}, 1<<24 - 1, "", "", "10.255.255.255"},
		"of the client after 65535": {row{method: "GET", forwarded: true}, 1 << 16, "", "", "10.1.0.0"},
	} {
		r, err := tt.row.firstRequest(t.Context(), "127.0.0.1:8080", "abc", tt.i)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if r.Method != tt.row.method || r.URL.String() != "http://127.0.0.1:8080/abc" {
			t.Errorf("%s: %s %s", name, r.Method, r.URL)
		}
		if got := r.Header.Get("Content-Type"); got != tt.contentType {
			t.Errorf("%s: the content type is %q", name, got)
		}
		if got := r.Header.Get("X-Forwarded-For"); got != tt.from {
			t.Errorf("%s: it comes from %q, want %q", name, got, tt.from)
		}
		if r.Header.Get("Accept") == acceptPage != tt.row.page || r.Header.Get("Accept-Language") == "" == tt.row.page {
			t.Errorf("%s: the headers are %v", name, r.Header)
		}
		if got := r.FormValue("confirm"); got != tt.form {
			t.Errorf("%s: confirm is %q", name, got)
		}
	}
	if _, err := (&row{method: "GET"}).firstRequest(t.Context(), "127.0.0.1:8080", "\x7f", 0); err == nil {
		t.Error("a token that no URL can have is no error")
	}
}

// TestCheckAnswer compares the status, and where Keyhole redirects to.
func TestCheckAnswer(t *testing.T) {
	right := "https://storage.example/reports/" + objectKey(3) + "?X-Amz-Algorithm=AWS4-HMAC-SHA256"
	for name, tt := range map[string]struct {
		row      row
		status   int
		location string
		ok       bool
	}{
		"a redirect":                  {row{status: 302}, 302, right, true},
		"a redirect to another":       {row{status: 302}, 302, strings.Replace(right, objectKey(3), objectKey(4), 1), false},
		"a redirect without a query":  {row{status: 302}, 302, "https://storage.example/reports/" + objectKey(3), false},
		"a redirect to nowhere":       {row{status: 302}, 302, "", false},
		"a page":                      {row{status: 302}, 200, right, false},
		"a confirmation":              {row{status: 303}, 303, right, true},
		"a confirmation as a click":   {row{status: 303}, 302, right, false},
		"a refusal":                   {row{status: 404}, 404, "", true},
		"too many refusals":           {row{status: 404}, 429, "", false},
		"the redirect of a floor":     {row{status: 302, floor: floorRedirect}, 302, "https://storage.example/", true},
		"a floor that fails":          {row{status: 302, floor: floorGet}, 500, "", false},
		"a floor without a location":  {row{status: 302, floor: floorGet}, 302, "", true},
		"a gateway without its Redis": {row{status: 302}, 503, "", false},
	} {
		answer := &http.Response{
			StatusCode: tt.status, Status: http.StatusText(tt.status), Header: http.Header{"Location": {tt.location}},
		}
		if err := tt.row.checkAnswer(answer, 3); (err == nil) != tt.ok {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestAskEach asks for every link and follows no redirect.
func TestAskEach(t *testing.T) {
	var asked atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		redirectFake(w, r)
	}))
	defer server.Close()
	b := &bench{}
	tokens := make([]string, 50)
	for i := range tokens {
		tokens[i] = fmt.Sprintf("%022d", i)
	}
	address := server.Listener.Addr().String()
	for _, r := range []row{{method: "GET", status: 302}, {method: "POST", status: 303}} {
		asked.Store(0)
		if err := b.askEach(t.Context(), &r, address, tokens); err != nil || asked.Load() != 50 {
			t.Errorf("%s: asked %d times, %v", r.method, asked.Load(), err)
		}
	}
	tokens[7], tokens[8] = tokens[8], tokens[7]
	if err := b.askEach(t.Context(), &row{method: "GET", status: 302}, address, tokens); err == nil {
		t.Error("two links that lead to each other's object are no error")
	}
	server.Close()
	if err := b.askEach(t.Context(), &row{method: "GET", status: 302}, address, tokens); err == nil {
		t.Error("a gateway that has ended is no error")
	}
}

// TestProgramOf measures the program of an earlier commit for its rows.
func TestProgramOf(t *testing.T) {
	b := &bench{o: &options{keyhole: "new", before: "old"}}
	if got := b.programOf(&row{}); got != "new" {
		t.Errorf("got %s", got)
	}
	if got := b.programOf(&row{before: true}); got != "old" {
		t.Errorf("of the earlier commit: got %s", got)
	}
}

// TestConfigurationFor states one Redis as single and several as a cluster, and holds no
// key of an operator and no secret of the storage.
func TestConfigurationFor(t *testing.T) {
	b := &bench{endpoint: "http://127.0.0.1:9000", key: "an-operator's"}
	single := b.configurationFor(&store{addresses: []string{"127.0.0.1:1"}}, "127.0.0.1:80", "127.0.0.1:81", "/s", "5s")
	cluster := b.configurationFor(&store{addresses: []string{"127.0.0.1:1", "127.0.0.1:2"}}, "", "", "/s", "0s")
	for _, tt := range []struct{ text, part string }{
		{single, `redis: { mode: single, addresses: ["127.0.0.1:1"] }`},
		{cluster, `redis: { mode: cluster, addresses: ["127.0.0.1:1", "127.0.0.1:2"] }`},
		{single, `public: { listen: "127.0.0.1:80", url: "http://127.0.0.1:80"`},
		{single, `  listen: "127.0.0.1:81"`},
		{single, `secret_access_key_file: "/s"`},
		{single, `endpoint: "http://127.0.0.1:9000"`},
		{single, `redirect: { object_check: 5s }`},
		{cluster, `redirect: { object_check: 0s }`},
		{single, hashOf(b.key)},
	} {
		if !strings.Contains(tt.text, tt.part) {
			t.Errorf("the configuration has no %s:\n%s", tt.part, tt.text)
		}
	}
	for _, secret := range []string{b.key, secretKey, "%!"} {
		if strings.Contains(single, secret) {
			t.Errorf("the configuration has %q:\n%s", secret, single)
		}
	}
}

// TestStoreOf starts a Redis of each kind once, and keeps what it started for close.
func TestStoreOf(t *testing.T) {
	o := testOptions(t)
	b := &bench{o: o, redis: map[string]*store{}}
	first, err := b.storeOf(t.Context(), inMemory)
	if err != nil {
		t.Fatal(err)
	}
	again, err := b.storeOf(t.Context(), inMemory)
	if err != nil || again != first || len(b.processes) != 1 {
		t.Errorf("%d processes, %v", len(b.processes), err)
	}
	b.close()
	ended(t, b.processes[0])
	o.scratch = "/nonexistent"
	if _, err := b.storeOf(t.Context(), appendOnly); err == nil || b.redis[appendOnly] != nil {
		t.Errorf("a Redis that did not start: %+v, %v", b.redis[appendOnly], err)
	}
}

// TestStartGateway gives the gateway the variables of the options and the row's check.
func TestStartGateway(t *testing.T) {
	o := testOptions(t)
	b := &bench{o: o, endpoint: "http://127.0.0.1:9"}
	s := &store{addresses: []string{"127.0.0.1:1"}}
	o.env = "GOGC=100 GOMEMLIMIT=64MiB"
	p, address, err := b.startGateway(t.Context(), s, o.keyhole, "60s")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.stop)
	if s.operator == "" || s.operator == address {
		t.Errorf("the operator's address is %q, the public one %q", s.operator, address)
	}
	if env := strings.Join(p.cmd.Env, "|"); !strings.HasSuffix(env, "|GOGC=100|GOMEMLIMIT=64MiB") {
		t.Errorf("the variables are %s", env)
	}
	config := p.cmd.Args[len(p.cmd.Args)-1]
	text, err := os.ReadFile(config)
	if err != nil || !strings.Contains(string(text), "object_check: 60s") {
		t.Errorf("the configuration is %s, %v", text, err)
	}
	secret := strings.TrimSuffix(config, "keyhole.yaml") + "secret"
	if info, err := os.Stat(secret); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the secret has %v, %v", info, err)
	}
	if _, _, err := b.startGateway(t.Context(), s, "/nonexistent/keyhole", "5s"); err == nil {
		t.Error("a gateway that does not start is no error")
	}
	if _, _, err := b.startFloor(t.Context(), s, floorGet); err != nil {
		t.Errorf("a floor: %v", err)
	}
	o.scratch = "/nonexistent"
	if _, _, err := b.startGateway(t.Context(), s, o.keyhole, "5s"); err == nil {
		t.Error("a gateway without a directory is no error")
	}
	if _, _, err := b.startFloor(t.Context(), s, floorGet); err == nil {
		t.Error("a floor without a log is no error")
	}
}
