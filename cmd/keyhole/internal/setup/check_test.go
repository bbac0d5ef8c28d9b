package setup

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"keyhole/cmd/keyhole/internal/command"
	"keyhole/cmd/keyhole/internal/localredis"
)

// Every usual mistake has one line that names the flag, and says what to write. Nothing is
// written, not even a directory above.
func TestMistakes(t *testing.T) {
	t.Parallel()
	const again = "correct it and run the command again; nothing was written"
	const noBucket = " must be the name of a bucket, 3 to 63 lower-case letters, digits, dots or hyphens"
	const noScheme, noPath = " must begin with https:// or http://", " must not have a path"
	const addScheme = "write the scheme, http or https: "
	const nameOnly, portOnly = "write the name only, and a flag for each bucket: ", "write scheme, host and port only: "
	endpoint := func(url string) []string { return []string{"--bucket", "reports", "--endpoint", url} }
	public := func(url string) []string { return []string{"--bucket", "reports", "--public-url", url} }
	bucket := func(name string) []string { return []string{"--bucket", name} }
	for name, tt := range map[string]struct {
		args       []string
		want, hint string
	}{
		"an address": {
			endpoint("127.0.0.1:9000"), "--endpoint" + noScheme, addScheme + "--endpoint http://127.0.0.1:9000",
		},
		"a container": {
			endpoint("minio:9000"), "--endpoint" + noScheme, addScheme + "--endpoint http://minio:9000",
		},
		"a host": {
			endpoint("s3.example.com"), "--endpoint" + noScheme, "write the scheme: --endpoint https://s3.example.com",
		},
		"another scheme": {endpoint("s3://reports"), "--endpoint" + noScheme, again},
		"one slash":      {endpoint("http:/127.0.0.1"), "--endpoint" + noPath, again},
		"no host":        {endpoint("http://"), "--endpoint has no host", again},
		"a wrong port":   {endpoint("http://s3:99999"), "--endpoint must have a port between 1 and 65535", again},
		"the bucket": {
			endpoint("http://s3:9000/reports"), "--endpoint" + noPath, portOnly + "--endpoint http://s3:9000",
		},
		"a query": {
			endpoint("http://s3:9000/?x"), "--endpoint must not have a query (?)", portOnly + "--endpoint http://s3:9000",
		},
		"a password": {
			endpoint("https://u:canary@s3"), "--endpoint must not contain a user or a password", again,
		},
		"a secret": {endpoint("u:canary@s3"), "--endpoint" + noScheme, again},
		"IPv6": {
			endpoint("[::1]:9000"), "--endpoint" + noScheme, addScheme + "--endpoint 'http://[::1]:9000'",
		},

		"no scheme": {
			public("dl.example.com"), "--public-url" + noScheme, "write the scheme: --public-url https://dl.example.com",
		},
		"a public path": {
			public("https://dl.example.com/x"), "--public-url" + noPath, portOnly + "--public-url https://dl.example.com",
		},

		"operators": {
			public("http://dl.example.com:8081"),
			"--public-url: operator.listen uses the same port as public.listen; give each its own port", again,
		},

		"a URL": {
			bucket("s3://reports"), "--bucket s3://reports" + noBucket, nameOnly + "--bucket reports",
		},
		"an object": {
			bucket("s3://reports/q3.pdf"), "--bucket s3://reports/q3.pdf" + noBucket, nameOnly + "--bucket reports",
		},
		"a slash":    {bucket("reports/"), "--bucket reports/" + noBucket, nameOnly + "--bucket reports"},
		"a list":     {bucket("a-1,b-2"), "--bucket a-1,b-2" + noBucket, nameOnly + "--bucket a-1 --bucket b-2"},
		"upper case": {bucket("Reports"), "--bucket Reports" + noBucket, nameOnly + "--bucket reports"},
		"underscore": {bucket("re_ports"), "--bucket re_ports" + noBucket, again},
		"nothing":    {bucket("s3:///"), "--bucket s3:///" + noBucket, again},
		"an ARN": {
			bucket("arn:aws:s3:::reports"),
			"--bucket arn:aws:s3:::reports is an ARN: name the bucket, or the access point's alias", again,
		},
		"twice": {
			[]string{"--bucket", "reports", "--bucket", "reports"}, "--bucket reports is listed twice", again,
		},
		"a wrong region": {
			append(bucket("reports"), "--region", "eu west"),
			"--region 'eu west' must be the name of a region, such as eu-central-1", again,
		},
		"a bucket at AWS": {
			endpoint("https://reports.s3.eu-west-1.amazonaws.com"), "--endpoint is the address of a bucket at AWS",
			"for AWS, omit --endpoint and write --region eu-west-1",
		},
		"without region": {
			endpoint("https://reports.s3.amazonaws.com"), "--endpoint is the address of a bucket at AWS",
			"for AWS, omit --endpoint",
		},
		"another region": {
			append(endpoint("https://s3.eu-west-1.amazonaws.com"), "--region", "us-east-1"),
			"--endpoint is in the region eu-west-1, not in us-east-1",
			"for AWS, omit --endpoint and write the region of the bucket in --region",
		},
		"several": {
			append(endpoint("s3.example.com"), "--public-url", "dl"),
			"--public-url" + noScheme + "\n--endpoint" + noScheme,
			addScheme + "--public-url http://dl\nwrite the scheme: --endpoint https://s3.example.com",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			base, home := t.TempDir(), t.TempDir()
			// A mistake is found before the credentials are asked for.
			got := initialise(t, home, append(tt.args, "--directory", filepath.Join(base, "a", "b")), "AWS_ACCESS_KEY_ID=")
			wrong, ok := errors.AsType[*command.Error](got.err)
			if !ok || wrong.Code != command.ExitUsage || wrong.Error() != tt.want || wrong.Hint != tt.hint {
				t.Fatalf("%v\nhint: %+v\nwant: %s\nhint: %s", got.err, wrong, tt.want, tt.hint)
			}
			if strings.Contains(wrong.Error()+wrong.Hint, "canary") {
				t.Error("a password is repeated")
			}
			if left := append(names(t, base), names(t, home)...); len(left) > 0 {
				t.Errorf("it leaves %v", left)
			}
		})
	}
}

// The access key is checked after it was typed, and named without the key of the file.
func TestWrongAccessKey(t *testing.T) {
	t.Parallel()
	base := t.TempDir()
	got := initialise(t, t.TempDir(), []string{"--bucket", "reports", "--directory", filepath.Join(base, "d")},
		"AWS_ACCESS_KEY_ID=a b")
	if got.err == nil || got.err.Error() != "the access key ID must have no spaces and no slashes" {
		t.Errorf("the error is %v", got.err)
	}
	if left := names(t, base); len(left) > 0 {
		t.Errorf("it leaves %v", left)
	}
}

// The region of an endpoint at AWS is that of its host, before any variable.
func TestRegions(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		endpoint, region, variable, want string
	}{
		"the host":    {"https://s3.eu-west-1.amazonaws.com", "", "us-west-2", "eu-west-1"},
		"old name":    {"https://s3-eu-west-1.amazonaws.com", "", "", "eu-west-1"},
		"dual stack":  {"https://s3.dualstack.us-gov-west-1.amazonaws.com", "", "", "us-gov-west-1"},
		"china":       {"https://s3.cn-north-1.amazonaws.com.cn", "", "", "cn-north-1"},
		"the same":    {"https://s3.eu-west-1.amazonaws.com", "eu-west-1", "", "eu-west-1"},
		"global":      {"https://s3.amazonaws.com", "", "us-west-2", "us-west-2"},
		"another":     {"https://s3.example.com", "", "eu-1", "eu-1"},
		"the flag":    {"https://s3.example.com", "eu-2", "eu-1", "eu-2"},
		"the default": {"https://s3.example.com", "", "", "us-east-1"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := &flags{
				buckets: []string{"reports"}, endpoint: tt.endpoint, region: tt.region, publicURL: "http://127.0.0.1:8080",
			}
			env := &command.Env{Environ: []string{"AWS_DEFAULT_REGION=" + tt.variable}}
			if err := f.complete(t.Context(), env); err != nil || f.region != tt.want {
				t.Errorf("%q, %v", f.region, err)
			}
		})
	}
}

// The variables of the SDK that name an S3 server count, the more precise one first.
func TestEndpointVariables(t *testing.T) {
	t.Parallel()
	directory := t.TempDir()
	got := initialise(t, t.TempDir(), []string{"--directory", directory, "--bucket", "reports"},
		"AWS_ENDPOINT_URL=https://aws.example.com", "AWS_ENDPOINT_URL_S3=https://s3.example.com")
	const want = "Storage  https://s3.example.com, region us-east-1, bucket reports\n"
	if got.err != nil || !strings.Contains(got.stderr, want) {
		t.Errorf("%v\n%s", got.err, got.stderr)
	}
	if endpoint := load(t, directory).Storage[0].Endpoint; endpoint != "https://s3.example.com" {
		t.Errorf("the endpoint is %s", endpoint)
	}
}

// A bucket in the host of the endpoint may be right, so it is only mentioned.
func TestBucketInEndpoint(t *testing.T) {
	t.Parallel()
	for endpoint, want := range map[string]bool{
		"https://exports.example.com": true, "https://EXPORTS.s3.example.com": true,
		"https://exportserver.example.com": false, "https://s3.example.com": false, "": false,
	} {
		args := []string{"--directory", t.TempDir(), "--bucket", "reports", "--bucket", "exports"}
		if endpoint != "" {
			args = append(args, "--endpoint", endpoint)
		}
		got := initialise(t, t.TempDir(), args)
		if got.err != nil || strings.Contains(got.stderr, "note: the host of the endpoint begins with exports; ") != want {
			t.Errorf("%s: %v\n%s", endpoint, got.err, got.stderr)
		}
	}
}

// The service listens on the port of a plain URL, and the user learns what else is needed.
func TestPublicURL(t *testing.T) {
	t.Parallel()
	for url, want := range map[string]struct{ listen, text string }{
		"http://127.0.0.1:8080":      {":8080", ", for this machine only"},
		"http://localhost:9090":      {":9090", ", for this machine only"},
		"http://dl.example.com:8080": {":8080", "http://dl.example.com:8080\n"},
		"http://dl.example.com:9090": {":9090", "http://dl.example.com:9090\n"},
		"http://dl.example.com":      {":8080", "; the service listens on port 8080"},
		"https://dl.example.com":     {":8080", "; the service listens on port 8080"},
		"https://dl.example.com:444": {":8080", "; the service listens on port 8080"},
	} {
		directory := t.TempDir()
		got := initialise(t, t.TempDir(), []string{"--directory", directory, "--bucket", "reports", "--public-url", url})
		if got.err != nil || !strings.Contains(got.stderr, "Links    "+url+strings.TrimPrefix(want.text, url)) {
			t.Errorf("%s: %v\n%s", url, got.err, got.stderr)
			continue
		}
		if listen := loadWarned(t, directory).Public.Listen; listen != want.listen {
			t.Errorf("%s: the service listens on %s", url, listen)
		}
	}
}

// In the directory of the packages, Redis keeps its data where the shipped unit may write,
// and the next command gives the service its files, but not the operator key.
func TestPackageDirectory(t *testing.T) {
	t.Parallel()
	unit, err := os.ReadFile("../../../../deploy/systemd/keyhole.service")
	if err != nil || !strings.Contains(string(unit), "\nStateDirectory=keyhole\n") ||
		!strings.Contains(string(unit), "--config "+packageDirectory+"/"+configFile+"\n") {
		t.Errorf("the unit has other directories: %v", err)
	}
	a := &answers{flags: flags{directory: packageDirectory, buckets: []string{"reports"}}, local: true}
	if !strings.Contains(a.config(), "  directory: \"/var/lib/keyhole/redis\"\n") {
		t.Errorf("the configuration is\n%s", a.config())
	}
	var stdout, stderr bytes.Buffer
	a.report(&command.Env{Stdout: &stdout, Stderr: &stderr}, localredis.Program{Name: "redis-server"}, "", "local")
	want := "cd /etc/keyhole && chgrp keyhole keyhole.yaml s3_secret_access_key && " +
		"chmod 640 keyhole.yaml s3_secret_access_key && systemctl enable --now keyhole\nkeyhole share s3://reports/KEY\n"
	if stdout.String() != want || !strings.Contains(stderr.String(), "let the user of the service read its files") {
		t.Errorf("it prints\n%s%s", stderr.String(), stdout.String())
	}
	// A person who uses sudo may not enter the directory, nor read the operator key.
	stdout.Reset()
	env := &command.Env{Stdout: &stdout, Stderr: &stderr, Environ: []string{"SUDO_USER=ada"}}
	a.report(env, localredis.Program{Name: "redis-server"}, "", "local")
	start, share, _ := strings.Cut(want, "\n")
	if want := "sudo sh -c '" + start + "'\nsudo " + share; stdout.String() != want {
		t.Errorf("under sudo it prints\n%s", stdout.String())
	}
}

// Under sudo, links and events name the person, not root.
func TestOperatorName(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ user, sudo, want string }{
		{"ada", "", "ada"}, {"root", "ada", "ada"}, {"", "", "operator"}, {"not a name", "", "operator"},
	} {
		env := &command.Env{Environ: []string{"USER=" + tt.user, "SUDO_USER=" + tt.sudo}}
		if got := operatorName(env); got != tt.want {
			t.Errorf("%+v: %q", tt, got)
		}
	}
}

func TestNeedsPathStyle(t *testing.T) {
	t.Parallel()
	for endpoint, want := range map[string]bool{
		"": false, "http://127.0.0.1:9000": true, "https://[::1]": true, "http://localhost:1": true,
		"http://minio:9000": true, "http://": false, "https://s3.example.com": false, "::": false,
	} {
		if got := needsPathStyle(endpoint); got != want {
			t.Errorf("%q: %t", endpoint, got)
		}
	}
}
