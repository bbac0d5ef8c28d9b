package main

import (
	"strings"
	"testing"

	"keyhole/gateway/api"
	"keyhole/gateway/client"
)

// What is no object is refused, with what may have been meant and without what
// signs a URL.
func TestNotS3(t *testing.T) {
	t.Parallel()
	const form = "write it as s3://BUCKET/KEY"
	const link = form + "; keyhole show says which object a link is of"
	for arg, want := range map[string][2]string{
		"reports/a.pdf":                         {`"reports/a.pdf" is not an object`, "did you mean s3://reports/a.pdf?"},
		"/reports/a.pdf":                        {`"/reports/a.pdf" is not an object`, "did you mean s3://reports/a.pdf?"},
		"reports":                               {`"reports" is not an object`, form},
		"s3://reports":                          {`"s3://reports" is not an object`, form},
		"s3:///a":                               {`"s3:///a" is not an object`, form},
		"s3:reports/a":                          {`"s3:reports/a" is not an object`, "did you mean s3://reports/a?"},
		"S3://reports/a":                        {"a URL is not an object", "did you mean s3://reports/a?"},
		"arn:aws:s3:::reports/a/b":              {`"arn:aws:s3:::reports/a/b" is not an object`, "did you mean s3://reports/a/b?"},
		"https://dl.example.com/tok":            {"a URL is not an object", form},
		"https://[::1/reports/a":                {"a URL is not an object", form},
		"gL7GirLNfjRUvzM7663PyG":                {"a link is not an object", link},
		"dl.example.com/gL7GirLNfjRUvzM7663PyG": {"a link is not an object", link},
		"https://dl.example.com/gL7GirLNfjRUvzM7663PyG/": {"a link is not an object", link},
		"":                            {`"" is not an object`, form},
		"https://s3.test:9000/r/a%25": {"a URL is not an object", "did you mean s3://r/a%?"},
		"https://reports.s3.eu-west-1.amazonaws.com/a%20b?X-Amz-Signature=canary":                              {"a URL is not an object", "did you mean 's3://reports/a b'?"},
		"https://reports.s3.amazonaws.com/a":                                                                   {"a URL is not an object", "did you mean s3://reports/a?"},
		"https://s3.eu-west-1.amazonaws.com/reports/a":                                                         {"a URL is not an object", "did you mean s3://reports/a?"},
		"https://eu-central-1.console.aws.amazon.com/s3/object/reports?region=eu-central-1&prefix=2026/q3.csv": {"a URL is not an object", "did you mean s3://reports/2026/q3.csv?"},
		"https://s3.console.aws.amazon.com/s3/buckets/reports":                                                 {"a URL is not an object", form},
		"https://reports.s3.evil.com/a":                                                                        {"a URL is not an object", form},
	} {
		_, _, err := parseObject(arg)
		refused, ok := err.(*hinted) //nolint:errorlint // It is what parseObject itself returns.
		if !ok || refused.code != exitUsage || refused.Error() != want[0] || refused.hint != want[1] {
			t.Errorf("%q: got %+v, want %q", arg, refused, want)
		}
	}
}

// What to do about a refusal fits what was presented, and what was too much.
func TestHintsForRefusals(t *testing.T) {
	t.Parallel()
	tooLong := []api.FieldError{{Field: "--expires", Code: "out_of_scope", Message: "1h is over the limit of 10m (max_expiry of this key)"}}
	outside := []api.FieldError{{Field: "s3://reports/a", Code: "out_of_scope", Message: "outside the objects of this key"}}
	for name, tt := range map[string]struct {
		refused  client.Error
		want     string
		unwanted string
	}{
		"a wrong key":         {client.Error{Problem: api.Problem{Code: "unauthorized"}}, "operator.keys", "token"},
		"an expired token":    {client.Error{Problem: api.Problem{Code: "unauthorized"}, Token: true}, "get a new token for this service", "operator.keys"},
		"a key without":       {client.Error{Problem: api.Problem{Code: "forbidden"}}, "extend this key's can", "grant"},
		"a token without":     {client.Error{Problem: api.Problem{Code: "forbidden"}, Token: true}, "operator.oidc.grants", "key"},
		"too long":            {client.Error{Problem: api.Problem{Code: "out_of_scope", Errors: tooLong}}, "a shorter --expires", "bucket"},
		"too long by a token": {client.Error{Problem: api.Problem{Code: "out_of_scope", Errors: tooLong}, Token: true}, "whose grant", "key"},
		"outside":             {client.Error{Problem: api.Problem{Code: "out_of_scope", Errors: outside}}, "buckets that you may see", "max_expiry"},
		"outside, by a token": {client.Error{Problem: api.Problem{Code: "out_of_scope", Errors: outside}, Token: true}, "buckets that you may see", "this key"},
	} {
		nobody, err := client.New("http://127.0.0.1:1", "")
		if err != nil {
			t.Fatal(err)
		}
		var stderr strings.Builder
		if code := report(&stderr, nearBucket(t.Context(), nobody, "reports", &tt.refused)); code != exitFailed {
			t.Errorf("%s: exit code %d", name, code)
		}
		_, hint, _ := strings.Cut(stderr.String(), "\n")
		if !strings.Contains(hint, tt.want) || strings.Contains(hint, tt.unwanted) {
			t.Errorf("%s: the hint is %q, want %q and not %q", name, hint, tt.want, tt.unwanted)
		}
	}
}
