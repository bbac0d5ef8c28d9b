package cli

import (
	"net/http/httptest"
	"strings"
	"testing"

	"keyhole/cmd/keyhole/internal/command"
	"keyhole/gateway/api"
	"keyhole/gateway/client"
)

// An argument that names no object is refused. The hint proposes an object or a command,
// and contains no signature of a URL.
func TestNotS3(t *testing.T) {
	t.Parallel()
	const form = "write it as s3://BUCKET/KEY"
	const listed = form + "; keyhole objects lists buckets and objects"
	const link = form + "; keyhole show prints the object of a link"
	const local = "this looks like a file on this machine; upload it to a bucket first, then " + form
	for arg, want := range map[string][2]string{
		"reports/a.pdf":  {`"reports/a.pdf" is not an object`, "did you mean s3://reports/a.pdf?"},
		"/reports/a.pdf": {`"/reports/a.pdf" is not an object`, "did you mean s3://reports/a.pdf?"},
		"reports":        {`"reports" is not an object`, listed},
		"s3://reports":   {`"s3://reports" is not an object`, listed},
		"s3:///a":        {`"s3:///a" is not an object`, listed},
		"s3:reports/a":   {`"s3:reports/a" is not an object`, "did you mean s3://reports/a?"},
		"S3://reports/a": {"a URL is not an object", "did you mean s3://reports/a?"},
		"arn:aws:s3:::reports/a/b": {
			`"arn:aws:s3:::reports/a/b" is not an object`,
			"did you mean s3://reports/a/b?",
		},
		"https://dl.example.com/tok":                     {"a URL is not an object", listed},
		"https://[::1/reports/a":                         {"a URL is not an object", listed},
		"gL7GirLNfjRUvzM7663PyG":                         {"a link is not an object", link},
		"dl.example.com/gL7GirLNfjRUvzM7663PyG":          {"a link is not an object", link},
		"https://dl.example.com/gL7GirLNfjRUvzM7663PyG/": {"a link is not an object", link},
		"":                            {`"" is not an object`, listed},
		"https://s3.test:9000/r/a%25": {"a URL is not an object", "did you mean s3://r/a%?"},
		"https://reports.s3.eu-west-1.amazonaws.com/a%20b?X-Amz-Signature=canary": {
			"a URL is not an object", "did you mean 's3://reports/a b'?",
		},
		"https://reports.s3.amazonaws.com/a": {
			"a URL is not an object", "did you mean s3://reports/a?",
		},
		"https://s3.eu-west-1.amazonaws.com/reports/a": {
			"a URL is not an object", "did you mean s3://reports/a?",
		},
		"https://eu-central-1.console.aws.amazon.com/s3/object/reports?region=eu-central-1&prefix=2026/q3.csv": {
			"a URL is not an object", "did you mean s3://reports/2026/q3.csv?",
		},
		"https://s3.console.aws.amazon.com/s3/buckets/reports": {
			"a URL is not an object", listed,
		},
		"./q3.pdf":               {`"./q3.pdf" is not an object`, local},
		"../reports/q3.pdf":      {`"../reports/q3.pdf" is not an object`, local},
		"~/q3.pdf":               {`"~/q3.pdf" is not an object`, local},
		`C:\Users\me\q3.pdf`:     {`"C:\\Users\\me\\q3.pdf" is not an object`, local},
		`reports\q3.pdf`:         {`"reports\\q3.pdf" is not an object`, local},
		"file:///home/me/q3.pdf": {"a URL is not an object", local},
		"s3a://reports/2026/q3.pdf": {
			"a URL is not an object",
			"did you mean s3://reports/2026/q3.pdf?",
		},
		"S3N://reports/q3.pdf": {"a URL is not an object", "did you mean s3://reports/q3.pdf?"},
		"gs://reports/q3.pdf":  {"a URL is not an object", listed},
		"az://reports/q3.pdf":  {"a URL is not an object", listed},
		`"s3://reports/a b.pdf"`: {
			`"\"s3://reports/a b.pdf\"" is not an object`,
			"did you mean 's3://reports/a b.pdf'?",
		},
		"'s3://reports/q3.pdf'": {
			`"'s3://reports/q3.pdf'" is not an object`,
			"did you mean s3://reports/q3.pdf?",
		},
		"“s3://reports/q3.pdf”": {
			`"“s3://reports/q3.pdf”" is not an object`,
			"did you mean s3://reports/q3.pdf?",
		},
		" s3://reports/q3.pdf ": {
			`" s3://reports/q3.pdf " is not an object`,
			"did you mean s3://reports/q3.pdf?",
		},
		"'reports/q3.pdf'": {
			`"'reports/q3.pdf'" is not an object`,
			"did you mean s3://reports/q3.pdf?",
		},
		"<https://s3.test/r/a?X-Amz-Signature=c>":         {"a URL is not an object", "did you mean s3://r/a?"},
		"'https://dl.example.com/gL7GirLNfjRUvzM7663PyG'": {"a link is not an object", link},
		"'dl.example.com/gL7GirLNfjRUvzM7663PyG'":         {"a link is not an object", link},
		"a b/c":                         {`"a b/c" is not an object`, listed}, // No bucket has a blank.
		"https://reports.s3.evil.com/a": {"a URL is not an object", listed},
	} {
		_, _, err := parseObject(arg)
		refused, ok := err.(*command.Error) //nolint:errorlint // It is what parseObject itself returns.
		if !ok || refused.Code != command.ExitUsage || refused.Error() != want[0] || refused.Hint != want[1] {
			t.Errorf("%q: got %+v, want %q", arg, refused, want)
		}
	}
}

// The hint for a refusal depends on the key or token that was presented, and on the limit
// that was exceeded.
func TestHintsForRefusals(t *testing.T) {
	t.Parallel()
	refusal := func(code, field string, token bool) client.Error {
		problem := api.Problem{Code: code, Errors: []api.FieldError{{Field: field, Code: code, Message: "m"}}}
		return client.Error{Problem: problem, Token: token}
	}
	for name, tt := range map[string]struct {
		refused  client.Error
		want     string
		unwanted string
	}{
		"a wrong key":         {refusal("unauthorized", "", false), "operator.keys", "token"},
		"an expired token":    {refusal("unauthorized", "", true), "get a new token for this service", "operator.keys"},
		"a key without":       {refusal("forbidden", "", false), "extend this key's \"can\"", "grant"},
		"a token without":     {refusal("forbidden", "", true), "operator.oidc.grants", "key"},
		"too long":            {refusal("out_of_scope", "--expires", false), "a shorter life", "bucket"},
		"too long by a token": {refusal("out_of_scope", "--preset", true), "whose grant", "key"},
		"outside":             {refusal("out_of_scope", "s3://a/b", false), "buckets that you may see", "max_expiry"},
		"outside, by a token": {refusal("out_of_scope", "s3://a/b", true), "buckets that you may see", "this key"},
	} {
		nobody, err := client.New("http://127.0.0.1:1", "")
		if err != nil {
			t.Fatal(err)
		}
		var stderr strings.Builder
		if code := report(&stderr, nearBucket(t.Context(), nobody, "reports", "", &tt.refused)); code != command.ExitFailed {
			t.Errorf("%s: exit code %d", name, code)
		}
		_, hint, _ := strings.Cut(stderr.String(), "\n")
		if !strings.Contains(hint, tt.want) || strings.Contains(hint, tt.unwanted) {
			t.Errorf("%s: the hint is %q, want %q and not %q", name, hint, tt.want, tt.unwanted)
		}
	}
}

// An https address of a service that speaks http gets the scheme to write, not the question
// whether the service runs.
func TestHintForWrongScheme(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(&fakeAPI{})
	t.Cleanup(server.Close)
	c, err := client.New(strings.Replace(server.URL, "http://", "https://", 1), "khk_test")
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.Buckets(t.Context())
	code, hint := exitCodeAndHint(err)
	if want := "the address speaks http: write it with http://"; code != command.ExitFailed || hint != want {
		t.Errorf("%v: got %d, %q, want %q", err, code, hint, want)
	}
}
