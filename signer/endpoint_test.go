package signer

import (
	"strings"
	"testing"
)

func TestPublicEndpoint(t *testing.T) {
	for in, want := range map[string]string{
		"https://storage.example":                    "https://storage.example",
		"https://storage.example/":                   "https://storage.example",
		"http://storage.example":                     "http://storage.example",
		"HTTPS://Storage.EXAMPLE":                    "https://storage.example",
		"https://storage.example:443":                "https://storage.example",
		"http://storage.example:80":                  "http://storage.example",
		"http://storage.example:443":                 "http://storage.example:443",
		"https://storage.example:80":                 "https://storage.example:80",
		"https://storage.example:8443":               "https://storage.example:8443",
		"http://s3:9000":                             "http://s3:9000",
		"http://object_store:9000":                   "http://object_store:9000",
		"http://127.0.0.1:9000":                      "http://127.0.0.1:9000",
		"http://[::1]:9000":                          "http://[::1]:9000",
		"http://[::1]:80":                            "http://[::1]",
		"https://[2001:DB8:0:0:0:0:0:1]":             "https://[2001:db8::1]",
		"https://bücher.example":                     "https://xn--bcher-kva.example",
		"https://BÜCHER.example:8443":                "https://xn--bcher-kva.example:8443",
		"https://xn--bcher-kva.example":              "https://xn--bcher-kva.example",
		"https://a1.2b":                              "https://a1.2b",
		"https://" + strings.Repeat("a", 63):         "https://" + strings.Repeat("a", 63),
		"https://ｓｔｏｒａｇｅ.example":                    "https://storage.example",
		"https://" + strings.Repeat("a.", 126) + "a": "https://" + strings.Repeat("a.", 126) + "a",
		"https://storage.example:1":                  "https://storage.example:1",
		"https://storage.example:65535":              "https://storage.example:65535",
		"https://s3.eu-west-1.amazonaws.com:443":     "https://s3.eu-west-1.amazonaws.com",
	} {
		got, err := publicEndpoint(in)
		if err != nil || got != want {
			t.Errorf("publicEndpoint(%q) = %q, %v; want %q", in, got, err, want)
		}
		if again, err := publicEndpoint(got); err != nil || again != got {
			t.Errorf("publicEndpoint(%q) = %q, %v; want it unchanged", got, again, err)
		}
	}
}

func TestPublicEndpointRefuses(t *testing.T) {
	for _, in := range []string{
		"storage.example", "storage.example:9000", "//storage.example", "https:", "https://", "https:///x",
		"https:storage.example",
		"ftp://storage.example", "s3://reports", "javascript:alert(1)",
		"https://storage.example/s3", "https://storage.example//", "https://storage.example/%2e",
		"https://storage.example?", "https://storage.example?x=1", "https://storage.example#", "https://storage.example#x",
		"https://canary@storage.example", "https://user:canary@storage.example", "https://@storage.example",
		"https://user:canary@storage.example:x", `https://storage.example\x`,
		"https://storage.example\r\nHost: x",
		" https://storage.example", "https://storage.example ", "https://storage .example",
		"https://storage.example:", "https://storage.example:0", "https://storage.example:65536",
		"https://storage.example:0443",
		"https://storage.example:x", "https://storage.example:-1", "https://:9000",
		"https://storage..example", "https://.example", "https://storage.example.", "https://-storage.example",
		"https://storage-.example",
		"https://storage*.example", "https://storage%41.example", "https://a,b", "https://" + strings.Repeat("a", 64),
		"https://" + strings.Repeat("a.", 127) + "aa",
		"https://127.1", "https://2130706433", "https://0x7f.0.0.1", "https://0x7f000001", "https://1.2.3.256",
		"https://1.2.3.04", "https://storage.1",
		"https://[::1", "https://[127.0.0.1]", "https://[::ffff:127.0.0.1]", "https://[fe80::1%25eth0]",
		"https://[fe80::1%eth0]", "https://[x]",
		"https://\xff.example", "https://a\u202eb.example", "https://%ff.example",
	} {
		got, err := publicEndpoint(in)
		if err == nil {
			t.Errorf("publicEndpoint(%q) = %q, want an error", in, got)
			continue
		}
		if !strings.HasPrefix(err.Error(), "endpoint") || strings.Contains(err.Error(), "canary") {
			t.Errorf("publicEndpoint(%q): error must be of the endpoint and not repeat it: %v", in, err)
		}
	}
}

// TestResolve states where recipients reach a bucket, and the region that
// signs, in every form an endpoint has.
func TestResolve(t *testing.T) {
	const alias = "my-ap-hrzrlukc5m36ft7okagglf3gmwluquse1b-s3alias"
	for _, c := range []struct {
		endpoint, region string
		pathStyle        bool
		bucket           string
		start            string // of the URL, to the key
		signs            string // the region, where it is another
	}{
		{"", "us-east-1", false, "reports", "https://reports.s3.us-east-1.amazonaws.com/", ""},
		{"", "us-east-1", true, "reports", "https://s3.us-east-1.amazonaws.com/reports/", ""},
		{"", "eu-west-1", false, "reports", "https://reports.s3.eu-west-1.amazonaws.com/", ""},
		{"", "eu-west-1", true, "reports", "https://s3.eu-west-1.amazonaws.com/reports/", ""},
		{"", "cn-north-1", false, "reports", "https://reports.s3.cn-north-1.amazonaws.com.cn/", ""},
		{"", "cn-north-1", true, "reports", "https://s3.cn-north-1.amazonaws.com.cn/reports/", ""},
		{"", "us-gov-west-1", false, "reports", "https://reports.s3.us-gov-west-1.amazonaws.com/", ""},
		{"", "aws-global", false, "reports", "https://reports.s3.amazonaws.com/", "us-east-1"},
		{"", "us-east-1", false, "my.dotted.bucket", "https://s3.us-east-1.amazonaws.com/my.dotted.bucket/", ""},
		{"", "us-east-1", false, alias, "https://" + alias + ".s3.us-east-1.amazonaws.com/", ""},
		{"https://storage.example", "eu-west-1", false, "reports", "https://reports.storage.example/", ""},
		{"https://storage.example", "eu-west-1", true, "reports", "https://storage.example/reports/", ""},
		{"https://Storage.Example:443", "eu-west-1", false, "reports", "https://reports.storage.example/", ""},
		{"http://storage.example:80", "eu-west-1", true, "reports", "http://storage.example/reports/", ""},
		{"https://storage.example:8443", "eu-west-1", false, "reports", "https://reports.storage.example:8443/", ""},
		{
			"https://storage.example:8443", "eu-west-1", false, "my.dotted.bucket",
			"https://storage.example:8443/my.dotted.bucket/", "",
		},
		{"http://localhost:9000", "us-east-1", false, "reports", "http://reports.localhost:9000/", ""},
		{"http://127.0.0.1:9000", "us-east-1", false, "reports", "http://127.0.0.1:9000/reports/", ""},
		{"http://127.0.0.1:9000", "us-east-1", true, "reports", "http://127.0.0.1:9000/reports/", ""},
		{"http://[::1]:9000", "us-east-1", false, "reports", "http://[::1]:9000/reports/", ""},
		{"http://[::1]:9000", "us-east-1", true, "reports", "http://[::1]:9000/reports/", ""},
		{"https://[2001:DB8::0:1]:443", "us-east-1", true, "reports", "https://[2001:db8::1]/reports/", ""},
		{"https://bücher.example", "us-east-1", false, "reports", "https://reports.xn--bcher-kva.example/", ""},
		{"http://object_store:9000", "US", true, "reports", "http://object_store:9000/reports/", ""},
		{"http://storage.example", "us_x", true, "reports", "http://storage.example/reports/", ""},
	} {
		s := newSigner(t, func(o *Options) {
			o.Endpoint, o.Region, o.PathStyle, o.Buckets = c.endpoint, c.region, c.pathStyle, []string{c.bucket}
		})
		r := report()
		r.Bucket = c.bucket
		signed, query := presign(t, s, r)
		if !strings.HasPrefix(signed.URL, c.start+"q1.pdf?X-Amz-Algorithm=") {
			t.Errorf("%+v: URL is %s", c, signed.URL)
		}
		signs := c.signs
		if signs == "" {
			signs = c.region
		}
		if !strings.HasSuffix(query.Get("X-Amz-Credential"), "/"+signs+"/s3/aws4_request") {
			t.Errorf("%+v: signed for %s", c, query.Get("X-Amz-Credential"))
		}
		origin, ok := s.Origin(c.bucket)
		scheme, rest, _ := strings.Cut(c.start, "://")
		host, _, _ := strings.Cut(rest, "/")
		if !ok || origin != scheme+"://"+host {
			t.Errorf("%+v: origin is %s, %v", c, origin, ok)
		}
	}
}

func TestOriginUnlisted(t *testing.T) {
	if origin, ok := newSigner(t, nil).Origin("salaries"); ok || origin != "" {
		t.Errorf("an unlisted bucket has the origin %q", origin)
	}
}

// TestResolveRefuses lists what needs more than a plain signature, and what is
// no bucket at all.
func TestResolveRefuses(t *testing.T) {
	for _, c := range []struct {
		endpoint, region, bucket string
	}{
		{"", "us-east-1", "reports--use1-az4--x-s3"},
		{"https://storage.example", "us-east-1", "reports--use1-az4--x-s3"},
		{"https://storage.example", "us-east-1", "x--x-s3"},
		{"", "us-east-1", "test-accessp-o0b1d075431d83bebde8xz5w8ijx1qzlbp3i3kuse10--op-s3"},
		{"", "us-east-1", "ap-o0b1d075431d83bebde8xz5w8ijx1qzlbp3i3kuse10--op-s3"},
		{"", "us-east-1", "my-ol-hrzrlukc5m36ft7okagglf3gmwluquse1b--ol-s3"},
		{"", "us-east-1", "my-tables--table-s3"},
		{"", "us-east-1", "mfzwi23gnjvgw.mrap"},
		{"", "us-east-1", "arn:aws:s3::123456789012:accesspoint:mfzwi23gnjvgw.mrap"},
		{"", "us-east-1", "arn:aws:s3:us-east-1:123456789012:accesspoint/reports"},
		{"", "us-east-1", "arn:aws:s3-object-lambda:us-east-1:123456789012:accesspoint/reports"},
		{"", "us-east-1", ""},
		{"", "us-east-1", "ab"},
		{"", "us-east-1", strings.Repeat("a", 64)},
		{"", "us-east-1", "Reports"},
		{"", "us-east-1", "re_ports"},
		{"", "us-east-1", "-reports"},
		{"", "us-east-1", "reports."},
		{"", "us-east-1", "re..ports"},
		{"", "us-east-1", ".."},
		{"", "us-east-1", "a/../b"},
		{"", "us-east-1", "evil.example/"},
		{"", "us-east-1", "192.168.5.4"},
		{"", "us-east-1", "reports?x"},
		{"", "us-east-1", "bücher"},
		{"", "", "reports"},
		{"", "bad region", "reports"},
		{"", "us-east-1/x", "reports"},
		{"https://storage.example", "bad region", "reports"},
		{"https://storage.example", "a/b", "reports"},
	} {
		for _, pathStyle := range []bool{false, true} {
			_, err := New(t.Context(), Options{
				Name: "main", Endpoint: c.endpoint, Region: c.region, PathStyle: pathStyle,
				Buckets: []string{c.bucket}, Credentials: exampleProvider(),
			})
			if err == nil || !strings.Contains(err.Error(), `bucket "`+c.bucket+`"`) {
				t.Errorf("%+v, path style %v: got %v, want an error that names the bucket", c, pathStyle, err)
			}
		}
	}
}
