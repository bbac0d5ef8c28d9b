package httpapi

import (
	"bufio"
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"keyhole/gateway"
)

// FuzzTarget sends everything that net/http accepts as a request. Only the exact path of a
// token reaches Redis or is redirected, and redirects lead only to the storage.
func FuzzTarget(f *testing.F) {
	for _, target := range []string{
		"/" + liveToken, "/" + liveToken + "?x=1", "//" + liveToken, "/x", "/%2e%2e", "http://evil.example/" + liveToken,
		"*", "/" + liveToken + ";x", "/robots.txt", "/é",
	} {
		f.Add("GET", target, "")
	}
	f.Add("POST", "/"+liveToken, "X-Forwarded-Host: evil.example\r\n")
	b := newBench(f, nil)
	public := b.api.Public()
	f.Fuzz(func(t *testing.T, method, target, headers string) {
		text := method + " " + target + " HTTP/1.1\r\nHost: dl.example.com\r\n" + headers + "\r\n"
		r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(text)))
		if err != nil {
			return
		}
		r.RemoteAddr = "192.0.2.1:1234"
		b.store.attempts = nil
		w := httptest.NewRecorder()
		public.ServeHTTP(w, r)
		path, _, _ := strings.Cut(strings.TrimPrefix(r.RequestURI, "http://"+r.Host), "?")
		isToken := strings.HasPrefix(path, "/") && gateway.ValidToken(path[1:])
		location := w.Header().Get("Location")
		switch {
		case w.Code >= 500 && w.Code != http.StatusServiceUnavailable:
			t.Errorf("%q: %d", text, w.Code)
		case location != "" && location != presigned:
			t.Errorf("%q redirects to %q", text, location)
		case !isToken && r.URL.Host == "" && (location != "" || len(b.store.attempts) > 0):
			t.Errorf("%q is asked of Redis, or redirected", text)
		}
		if len(b.store.attempts) > 0 && b.store.attempts[0].Address != "192.0.2.1" {
			t.Errorf("%q comes from %q", text, b.store.attempts[0].Address)
		}
	})
}

// FuzzIssueBody checks that every accepted body is strict JSON, and that Keyhole shares
// exactly the object that it names.
func FuzzIssueBody(f *testing.F) {
	for _, body := range []string{
		`{"bucket":"exports","key":"a"}`, `{"bucket":"exports","key":"a","BUCKET":"b"}`, `null`, `[]`, `{}`,
		`{"key":"\ud800"}`,
		`{"bucket":"exports","key":"\u00e9","expires_in":"1h","labels":{"a":"b"},"allow":["10.0.0.0/8"],"max_clicks":1}`,
		`{"bucket":"exports","key":"a"}{}`,
	} {
		f.Add([]byte(body))
	}
	b := newBench(f, nil)
	operator := b.api.Operator()
	f.Fuzz(func(t *testing.T, body []byte) {
		b.store.created = nil
		b.storage.proved = nil
		r := httptest.NewRequest(http.MethodPost, "/api/v1/links", bytes.NewReader(body))
		r.Header.Set("Authorization", "Bearer "+opsKey)
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		operator.ServeHTTP(w, r)
		switch w.Code {
		case http.StatusBadRequest, http.StatusUnprocessableEntity, http.StatusRequestEntityTooLarge:
			if len(b.store.created) > 0 || !json.Valid(w.Body.Bytes()) {
				t.Errorf("%q: %d with %d links: %s", body, w.Code, len(b.store.created), w.Body)
			}
			return
		case http.StatusCreated:
		default:
			t.Fatalf("%q: %d %s", body, w.Code, w.Body)
		}
		var asked struct{ Bucket, Key string }
		decoder := json.NewDecoder(bytes.NewReader(body))
		if err := decoder.Decode(&asked); err != nil || decoder.More() || !utf8.Valid(body) {
			t.Fatalf("%q is shared, and is no JSON: %v", body, err)
		}
		if !slices.Equal(b.storage.proved, []string{asked.Bucket + "/" + asked.Key}) {
			t.Errorf("%q shares %q", body, b.storage.proved)
		}
	})
}

// FuzzIfMatch checks that only ETags of this service match a revision.
func FuzzIfMatch(f *testing.F) {
	for _, value := range []string{`"00ff"`, `W/"00ff"`, "*", `"a", "b"`, `"00FF"`, `""`, `"`} {
		f.Add(value)
	}
	f.Fuzz(func(t *testing.T, value string) {
		revisions, err := ifMatch(&http.Request{Header: http.Header{"If-Match": {value}}})
		if err != nil {
			return
		}
		link := &gateway.Link{Revision: "\x00\xff"}
		ours := []string{`"00ff"`, `W/"00ff"`, `"00ff-gzip"`, `W/"00ff-gzip"`, `"00ff-br"`, `W/"00ff-br"`}
		named := slices.ContainsFunc(trimmed(strings.Split(value, ",")),
			func(tag string) bool { return slices.Contains(ours, tag) })
		if slices.Contains(revisions, link.Revision) != named {
			t.Errorf("%q: %q", value, revisions)
		}
	})
}

// trimmed removes the white space around each text.
func trimmed(texts []string) []string {
	for i := range texts {
		texts[i] = strings.TrimSpace(texts[i])
	}
	return texts
}
