package main

import "testing"

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
