package cli

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"keyhole/cmd/keyhole/internal/command"
	"keyhole/gateway/api"
)

// runBeside runs a command against any server and returns the result and the number of
// requests.
func runBeside(t *testing.T, handler http.Handler, args ...string) (got result, requests int) {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests++ // the client sends one request at a time
		handler.ServeHTTP(w, r)
	}))
	var stdout, stderr strings.Builder
	code := runCLI(t.Context(), args, command.Env{
		Stdin: strings.NewReader(""), Stdout: &stdout, Stderr: &stderr,
		Environ: []string{"KEYHOLE_KEY=khk_test", "KEYHOLE_OPERATOR_URL=" + server.URL},
	})
	server.Close() // waits for the handlers
	return result{code, stdout.String(), strings.ReplaceAll(stderr.String(), server.URL, "SERVER")}, requests
}

// noSpace is a stream whose reader is gone.
type noSpace struct{}

func (noSpace) Write([]byte) (int, error) { return 0, errors.New("no space left on device") }

// Each refusal of share has its exact lines, and nothing goes to standard output.
func TestShareRefusalMessages(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		args    string
		problem api.Problem
		want    string
	}{
		"forbidden": {
			"",
			api.Problem{Status: 403, Code: "forbidden", Detail: "this key may not issue links"},
			"keyhole: this key may not issue links\n  use a key that allows this, or ask the operator of the service to " +
				"extend this key's \"can\"\n",
		},
		"a reused key": {
			"--idempotency-key k",
			api.Problem{Status: 409, Code: "idempotency_conflict", Detail: "the key was used"},
			"keyhole: the key was used\n  use another idempotency key for this request, with --idempotency-key; " +
				"keyhole list shows the link of the other one\n",
		},
		"several fields": {
			"--note n --sensitive",
			api.Problem{Status: 422, Code: "invalid", Errors: []api.FieldError{
				{Field: "note", Code: "too_long", Message: "note has 2000 characters"},
				{Field: "sensitive", Code: "x", Message: "sensitive must be false"},
				{Field: "not_before", Code: "x", Message: "not_before is after the end"},
			}},
			"keyhole: --note: note has 2000 characters; --sensitive: sensitive must be false; " +
				"--not-before: --not-before is after the end\n  correct the values named above and try again\n",
		},
		"too many requests": {
			"",
			api.Problem{Status: 429, Code: "rate_limited", Detail: "too many failed attempts"},
			"keyhole: too many failed attempts\n  try again in a minute; if the key is refused, check it\n",
		},
		"a code of a newer service": {
			"",
			api.Problem{Status: 418, Code: "teapot", Detail: "short\x1b[2J and stout"},
			"keyhole: short\\x1b[2J and stout\n  try again; if it fails again, see the service's log\n",
		},
		"credentials that may not read": {
			"",
			api.Problem{Status: 422, Code: "invalid", Detail: "no", Errors: []api.FieldError{
				{Field: "key", Code: "object_not_readable", Message: "key may not be read"},
			}},
			"keyhole: s3://reports/a/b: key may not be read\n  check the bucket, and the storage's credentials " +
				"and their rights; where the service runs, keyhole doctor tests them\n",
		},
		"a storage that is away": {
			"--idempotency-key k",
			api.Problem{Status: 503, Code: "unavailable", Detail: "no storage"},
			"keyhole: no storage\n  repeat the command with --idempotency-key k: this issues no second link\n" +
				"  keyhole health and, where the service runs, keyhole doctor find the cause\n",
		},
		"the service cannot confirm": {
			"--idempotency-key k --quiet",
			api.Problem{Status: 503, Code: "not_confirmed", Detail: "not confirmed"},
			"keyhole: not confirmed\n  repeat the command with --idempotency-key k: this issues no second link\n",
		},
		"a generated passphrase": {
			"--make-passphrase",
			api.Problem{Status: 500, Code: "internal", Detail: "it failed"},
			"keyhole: it failed\n  keyhole list shows whether the link was issued: revoke it, and share again\n",
		},
	} {
		f := &fakeAPI{answers: map[string]any{"POST /api/v1/links": tt.problem}}
		got := runOver(t, f, append([]string{"share", "s3://reports/a/b"}, strings.Fields(tt.args)...)...)
		if got.code != command.ExitFailed || got.stdout != "" || got.stderr != tt.want || len(f.requests) != 1 {
			t.Errorf("%s: after %q: %+v\nwant %q", name, f.lines(), got, tt.want)
		}
	}
}

// An answer that is no answer of the API issues nothing that share could print. A cut one is
// asked for once more with the same key, and then the link may exist.
func TestShareWithBrokenAnswers(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		handler  http.Handler
		requests int
		want     []string
	}{
		"a page": {
			wireAnswer{200, "<html>", false},
			1,
			[]string{"keyhole: the answer is not from Keyhole's operator API", "not the address for recipients?"},
		},
		"a page of a proxy": {
			wireAnswer{502, "<html>", false},
			1,
			[]string{"keyhole: SERVER answers 502 Bad Gateway: ", "--idempotency-key k: this issues no second link"},
		},
		"a problem without a code": {
			wireAnswer{422, `{"status":422}`, false},
			1,
			[]string{"keyhole: SERVER answers 422 ", "not the address for recipients?"},
		},
		"a cut link": {
			wireAnswer{201, `{"id":"`, true},
			2,
			[]string{"keyhole: the answer broke off", "--idempotency-key k: this issues no second link"},
		},
		"an array": {
			wireAnswer{201, `[]`, false}, 1, []string{"keyhole: the answer is not from Keyhole's operator API"},
		},
	} {
		got, requests := runBeside(t, tt.handler, "share", "s3://reports/a", "--idempotency-key", "k")
		if got.code != command.ExitFailed || got.stdout != "" || requests != tt.requests {
			t.Errorf("%s: %+v after %d requests", name, got, requests)
		}
		has(t, got.stderr, tt.want...)
	}
}

// A repeat of a cut answer that succeeds is a success, with one URL.
func TestShareRepeatsACutAnswer(t *testing.T) {
	t.Parallel()
	f := &fakeAPI{answers: map[string]any{"POST /api/v1/links": testLink()}}
	cut := false
	got, requests := runBeside(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f.ServeHTTP(&headless{w, !cut}, r)
		cut = true
	}), "share", "s3://reports/a", "--quiet")
	if got.code != command.ExitOK || got.stdout != testLink().URL+"\n" || got.stderr != "" || requests != 2 {
		t.Fatalf("%+v after %d requests", got, requests)
	}
	if f.requests[0].retry == "" || f.requests[0].retry != f.requests[1].retry {
		t.Errorf("the keys are %q and %q", f.requests[0].retry, f.requests[1].retry)
	}
}

// headless sends the beginning of an answer only, if cut is set.
type headless struct {
	http.ResponseWriter
	cut bool
}

func (h *headless) Write(p []byte) (int, error) {
	if !h.cut {
		return h.ResponseWriter.Write(p)
	}
	h.Header().Set("Content-Length", "100000")
	_, err := h.ResponseWriter.Write(p[:len(p)/2])
	return len(p), err
}

// If standard output is full, the URL is lost. The command names the link and how to end it.
func TestShareCannotPrintTheURL(t *testing.T) {
	t.Parallel()
	for _, args := range []string{
		"s3://reports/a", "s3://reports/a --json", "s3://reports/a --message",
		"s3://reports/a s3://reports/b", "s3://reports/a s3://reports/b --json",
	} {
		f := batchAPI(nil, nil)
		f.answers["POST /api/v1/links"] = testLink()
		server := httptest.NewServer(f)
		var stderr strings.Builder
		code := runCLI(t.Context(), append([]string{"share", "--quiet"}, strings.Fields(args)...), command.Env{
			Stdin: strings.NewReader(""), Stdout: noSpace{}, Stderr: &stderr,
			Environ: []string{"KEYHOLE_KEY=k", "KEYHOLE_OPERATOR_URL=" + server.URL},
		})
		server.Close()
		if code != command.ExitFailed {
			t.Errorf("%s: exit %d", args, code)
		}
		if strings.Contains(args, "/b") {
			has(t, stderr.String(), "keyhole: 2 links issued, but: no space left on device\n",
				"  keyhole list shows the links; keyhole revoke ID ends one\n")
			continue
		}
		has(t, stderr.String(), "keyhole: the link "+testID()+" was issued, but: its URL cannot be written: "+
			"no space left on device\n", "  keyhole revoke "+testID()+"\n")
	}
}

// If standard error is full, the URLs are printed all the same: they exist nowhere else.
func TestShareWithoutStandardError(t *testing.T) {
	t.Parallel()
	for args, want := range map[string]string{
		"s3://reports/a":                                   testLink().URL + "\n",
		"s3://reports/a s3://reports/b":                    "https://dl.example.com/1\nhttps://dl.example.com/2\n",
		"s3://reports/a s3://reports/b --make-passphrase":  "https://dl.example.com/1\nhttps://dl.example.com/2\n",
		"s3://reports/a s3://reports/b --quiet --partial":  "https://dl.example.com/1\nhttps://dl.example.com/2\n",
		"s3://reports/a --qr --make-passphrase --pin etag": testLink().URL + "\n",
	} {
		f := batchAPI(nil, nil)
		f.answers["POST /api/v1/links"] = testLink()
		server := httptest.NewServer(f)
		var stdout strings.Builder
		code := runCLI(t.Context(), append([]string{"share"}, strings.Fields(args)...), command.Env{
			Stdin: strings.NewReader(""), Stdout: &stdout, Stderr: noSpace{},
			Environ: []string{"KEYHOLE_KEY=k", "KEYHOLE_OPERATOR_URL=" + server.URL},
		})
		server.Close()
		if code != command.ExitOK || stdout.String() != want {
			t.Errorf("%s: exit %d, %q, want %q", args, code, stdout.String(), want)
		}
	}
}

// A URL that no QR code can hold is printed, and the failure names the link.
func TestShareWithoutAQRCode(t *testing.T) {
	t.Parallel()
	link := testLink()
	link.URL = "https://dl.example.com/" + strings.Repeat("x", 4000)
	f := &fakeAPI{answers: map[string]any{"POST /api/v1/links": link}}
	got := runOver(t, f, "share", "s3://reports/a", "--qr", "--quiet")
	if got.code != command.ExitFailed || got.stdout != link.URL+"\n" {
		t.Errorf("exit %d, %d bytes: %s", got.code, len(got.stdout), got.stderr)
	}
	has(t, got.stderr, "keyhole: the link "+testID()+" was issued, but: ", "  keyhole revoke "+testID()+"\n")
}

// A list on standard input leaves nobody to ask, also at a terminal, and the note says why.
func TestShareOfAListIsNotAsked(t *testing.T) {
	t.Parallel()
	for flag, noted := range map[string]bool{"--pin=etag": true, "--yes": false, "--not-sensitive": false} {
		f := batchAPI(nil, nil)
		f.answers["POST /api/v1/links"] = testLink()
		for _, typed := range []string{"s3://reports/a\n\x04\x04", "s3://reports/a\ns3://reports/b\n\x04\x04"} {
			got := runAt(t, f, typed, false, "share", "-", flag)
			const note = "note      sensitivity was not asked because standard input lists the objects: " +
				"use --sensitive or --not-sensitive"
			if got.code != command.ExitOK || strings.Count(got.stderr, note) != map[bool]int{true: 1}[noted] ||
				strings.Contains(got.stderr, "sensitive (personal") {
				t.Errorf("%s, %q: %+v", flag, typed, got)
			}
		}
	}
}
