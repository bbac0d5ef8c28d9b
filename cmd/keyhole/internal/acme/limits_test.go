package acme

import (
	"cmp"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"keyhole/gateway/logtest"
)

// reply returns an answer with a header and a body.
func reply(status int, header http.Header, body io.Reader) *http.Response {
	return &http.Response{StatusCode: status, Header: header, Body: io.NopCloser(body)}
}

// An answer of the authority is read up to a limit. One that is longer is an error, also if
// its beginning is valid.
func TestAnswerSize(t *testing.T) {
	for name, tt := range map[string]struct {
		size int
		fits bool
	}{"the limit": {maxAnswer, true}, "one byte more": {maxAnswer + 1, false}, "endless": {1 << 40, false}} {
		body := io.LimitReader(strings.NewReader(strings.Repeat(" ", maxAnswer+2)), int64(tt.size))
		client := limitClient(&http.Client{Transport: answers(func() (*http.Response, error) {
			return reply(http.StatusOK, http.Header{}, body), nil
		})}, standIn)
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, standIn, nil)
		if err != nil {
			t.Fatal(err)
		}
		response, err := client.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(response.Body)
		_ = response.Body.Close() // It cannot fail.
		if tt.fits && (err != nil || len(text) != tt.size) || !tt.fits && !errors.Is(err, errAnswerSize) {
			t.Errorf("%s: %d bytes, %v", name, len(text), err)
		}
	}
}

// The directory may move to another https URL, but no signed request follows a redirect,
// and nothing goes out without TLS unless the directory itself has none.
func TestRedirectsOfTheAuthority(t *testing.T) {
	for name, tt := range map[string]struct {
		directory, method, first, second string
		want                             string // in the error; empty: no error
		status                           int    // 0: 307
	}{
		"https":                 {standIn, "GET", standIn, "https://new.example/dir", "", 0},
		"head":                  {standIn, "HEAD", standIn, "https://new.example/dir", "", 0},
		"signed":                {standIn, "POST", standIn, standIn + "/other", "redirected a signed request", 0},
		"signed, to a page":     {standIn, "POST", standIn, standIn + "/other", "redirected a signed request", 303},
		"to http":               {standIn, "GET", standIn, "http://ca.example/dir", "without https, of ca.example", 0},
		"to a file":             {standIn, "GET", standIn, "file:///etc/passwd", "without https", 0},
		"http in the directory": {standIn, "GET", "http://192.0.2.1/", "", "without https, of 192.0.2.1", 0},
		"http on loopback":      {"http://127.0.0.1:14000/dir", "GET", "http://127.0.0.1:14000/order", "", "", 0},
		"another port":          {"http://127.0.0.1:14000/dir", "GET", "http://127.0.0.1:80/", "", "without https", 0},
		"for ever":              {standIn, "GET", standIn, standIn, "redirected more than three times", 0},
	} {
		asked := 0
		client := limitClient(&http.Client{Transport: answers(func() (*http.Response, error) {
			if asked++; tt.second != "" && (asked == 1 || tt.second == standIn) {
				header := http.Header{"Location": {tt.second}}
				return reply(cmp.Or(tt.status, http.StatusTemporaryRedirect), header, http.NoBody), nil
			}
			return reply(http.StatusOK, http.Header{}, http.NoBody), nil
		})}, tt.directory)
		request, err := http.NewRequestWithContext(t.Context(), tt.method, tt.first, strings.NewReader(""))
		if err != nil {
			t.Fatal(err)
		}
		response, err := client.Do(request)
		if response != nil {
			_ = response.Body.Close()
		}
		if (tt.want == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Every Retry-After becomes seconds, at least one. A date counts from the authority's clock.
func TestRetryAfterOfAnswers(t *testing.T) {
	now := time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)
	at := func(d time.Duration) string { return now.Add(d).Format(http.TimeFormat) }
	for name, tt := range map[string]struct{ value, date, want string }{
		"none":               {"", "", ""},
		"seconds":            {"3", "", "3"},
		"zero":               {"0", "", "1"},
		"negative":           {"-5", "", "1"},
		"no time":            {"soon", "", "1"},
		"a date":             {at(time.Minute), "", "60"},
		"a date of the past": {at(-time.Hour), "", "1"},
		"our clock is ahead": {at(-time.Hour + time.Minute), at(-time.Hour), "60"},
		"our clock is slow":  {at(time.Hour + time.Minute), at(time.Hour), "60"},
		"no date":            {at(time.Minute), "x", "60"},
	} {
		header := http.Header{}
		for key, value := range map[string]string{"Retry-After": tt.value, "Date": tt.date} {
			if value != "" {
				header.Set(key, value)
			}
		}
		limitRetryAfter(header, now)
		if got := header.Get("Retry-After"); got != tt.want {
			t.Errorf("%s: %q, want %q", name, got, tt.want)
		}
	}
}

// While an order is processed, the client looks once a second, also if the authority sends a
// Retry-After of the past.
func TestBusyOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ca := newAuthority(t, 90*day)
		ca.finalize = "processing"
		ca.header = http.Header{"Retry-After": {"Thu, 01 Jan 1970 00:00:00 GMT"}}
		m := ca.gateway(newMemory(), t.Output(), nil)
		if pause := m.round(t.Context()); pause != firstUnreachablePause {
			t.Errorf("pause %v", pause)
		}
		if requests, _, _ := ca.numbers(); requests < 200 || requests > int(orderTimeout/time.Second)+20 {
			t.Errorf("%d requests in %v", requests, orderTimeout)
		}
	})
}

// An authority that answers nothing useful costs one failed order and nothing else.
func TestStrangeAnswers(t *testing.T) {
	for name, answer := range map[string]func(http.ResponseWriter){
		"empty":        func(http.ResponseWriter) {},
		"no JSON":      func(w http.ResponseWriter) { _, _ = io.WriteString(w, "<html>") },
		"null":         func(w http.ResponseWriter) { _, _ = io.WriteString(w, "null") },
		"a list":       func(w http.ResponseWriter) { _, _ = io.WriteString(w, "[]") },
		"other types":  func(w http.ResponseWriter) { _, _ = io.WriteString(w, `{"newOrder":1,"meta":[]}`) },
		"no URLs":      func(w http.ResponseWriter) { _, _ = io.WriteString(w, `{"newOrder":"x"}`) },
		"odd URLs":     func(w http.ResponseWriter) { _, _ = io.WriteString(w, `{"newOrder":"\u0000","newNonce":"::"}`) },
		"status 204":   func(w http.ResponseWriter) { w.WriteHeader(http.StatusNoContent) },
		"a loop":       func(w http.ResponseWriter) { w.Header().Set("Location", standIn+"/dir"); w.WriteHeader(302) },
		"a huge field": func(w http.ResponseWriter) { _, _ = io.WriteString(w, strings.Repeat("[", maxAnswer+1)) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				storage := newMemory()
				m := newAuthority(t, 90*day).gateway(storage, t.Output(), func(o *Options) {
					o.Client = &http.Client{Transport: answers(func() (*http.Response, error) {
						w := httptest.NewRecorder()
						answer(w)
						return w.Result(), nil
					})}
				})
				if pause := m.round(t.Context()); pause < firstUnreachablePause || !m.Failing() || !m.Expiry().IsZero() {
					t.Errorf("pause %v, failing %v, expiry %v", pause, m.Failing(), m.Expiry())
				}
			})
		})
	}
}

// A panic over an answer fails the order and does not end the service. Its value is not
// logged.
func TestPanic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log, storage := &logtest.Buffer{}, newMemory()
		m := newAuthority(t, 90*day).gateway(storage, log, func(o *Options) {
			o.Client = &http.Client{Transport: answers(func() (*http.Response, error) { panic("canary") })}
		})
		if pause := m.round(t.Context()); pause != firstUnreachablePause || !m.Failing() || len(storage.leases) != 0 {
			t.Errorf("pause %v, failing %v, %d leases", pause, m.Failing(), len(storage.leases))
		}
		if log.Count("the order of a certificate panicked") == 0 || log.Count("canary") != 0 {
			t.Errorf("the log: %s", log)
		}
	})
}
