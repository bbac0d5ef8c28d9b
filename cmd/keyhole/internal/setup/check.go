package setup

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"regexp"
	"strconv"
	"strings"

	"keyhole/cmd/keyhole/internal/cli/term"
	"keyhole/cmd/keyhole/internal/command"
	"keyhole/config"
)

// check refuses values that the service would refuse, by the rules of the configuration. It
// reads and writes no file.
func (f *flags) check() error {
	c := config.Default()
	c.Public.URL = f.publicURL
	c.Public.Listen = cmp.Or(f.listen(), c.Public.Listen)
	c.Operator.Keys = []config.OperatorKey{validKey(defaultOperator)}
	c.Storage = []config.Storage{{
		Name: "main", Endpoint: f.endpoint, Region: f.region, PathStyle: needsPathStyle(f.endpoint), Buckets: f.buckets,
		Timeout: config.DefaultStorage().Timeout,
	}}
	_, err := c.Prepare()
	return f.refusal(err)
}

// refusal turns the problems of a configuration that the user has not seen into mistakes in
// the flags: each names the flag, and says what to write instead.
func (f *flags) refusal(err error) error {
	problems, ok := errors.AsType[config.Problems](err)
	if !ok {
		return err
	}
	var mistakes, hints []string
	for _, p := range problems {
		name, advice := f.origin(p.Path)
		mistakes = append(mistakes, name+" "+p.Message)
		if advice != "" {
			hints = append(hints, advice)
		}
	}
	if len(hints) == 0 {
		hints = []string{"correct it and run the command again; nothing was written"}
	}
	return command.Usage(strings.Join(mistakes, "\n"), strings.Join(hints, "\n"))
}

// origin returns the flag from which the value of a key came, and what to write instead if
// a usual mistake explains the problem.
func (f *flags) origin(path string) (name, advice string) {
	var i int
	if _, err := fmt.Sscanf(path, "storage[0].buckets[%d]", &i); err == nil && i < len(f.buckets) {
		return "--bucket " + term.ShellWord(f.buckets[i]), bucketAdvice(f.buckets[i])
	}
	switch path {
	case "storage[0].endpoint":
		return "--endpoint", urlAdvice("--endpoint", f.endpoint)
	case "public.listen", "operator.listen":
		// The port of the URL is that of the listener.
		return "--public-url: " + path, ""
	case "public.url":
		return "--public-url", urlAdvice("--public-url", f.publicURL)
	case "storage[0].region":
		return "--region " + term.ShellWord(f.region), ""
	case "storage[0].access_key_id":
		return "the access key ID", ""
	}
	return path, ""
}

// bucketAdvice returns what to write instead of an address or a list of buckets.
func bucketAdvice(bucket string) string {
	names := strings.FieldsFunc(strings.TrimPrefix(bucket, "s3://"), func(r rune) bool { return r == ',' || r == ' ' })
	for i, name := range names {
		name, _, _ = strings.Cut(name, "/")
		if strings.HasPrefix(name, "arn:") || name == "" {
			return ""
		}
		names[i] = "--bucket " + term.ShellWord(strings.ToLower(name))
	}
	if advised := strings.Join(names, " "); advised != "--bucket "+bucket {
		return "write the name only, and a flag for each bucket: " + advised
	}
	return ""
}

// urlAdvice returns what to write instead of a URL without a scheme or with a path. It
// repeats no user and no password.
func urlAdvice(flag, raw string) string {
	if strings.Contains(raw, "@") {
		return ""
	}
	scheme, what := "", "write scheme, host and port only"
	if !strings.Contains(raw, "://") {
		// Most servers inside of a network have no certificate.
		if scheme, what = "https://", "write the scheme"; needsPathStyle("http://" + raw) {
			scheme, what = "http://", "write the scheme, http or https"
		}
	}
	u, err := url.Parse(scheme + raw)
	if err != nil || u.Host == "" || strings.HasSuffix(u.Host, ":") || u.Scheme != "http" && u.Scheme != "https" ||
		u.Scheme+"://"+u.Host == raw {
		return ""
	}
	return what + ": " + flag + " " + term.ShellWord(u.Scheme+"://"+u.Host)
}

// awsHost matches the hosts of S3 at AWS: of a region, with a bucket before it or not.
// https://docs.aws.amazon.com/general/latest/gr/s3.html
var awsHost = regexp.MustCompile(
	`^(.+\.)?s3(?:-fips)?(?:\.dualstack)?(?:[.-]([a-z]{2}(?:-[a-z]+)+-[0-9]))?\.amazonaws\.com(?:\.cn)?$`)

// awsRegion returns the region that an endpoint of AWS names, or "". AWS refuses a signature
// for another region. It refuses the host of a bucket: the service puts the bucket there.
func awsRegion(f *flags) (string, error) {
	u, err := url.Parse(f.endpoint)
	if err != nil {
		return "", nil //nolint:nilerr // check reports it.
	}
	found := awsHost.FindStringSubmatch(strings.ToLower(u.Hostname()))
	switch {
	case found == nil:
		return "", nil
	case found[1] != "":
		advice := "omit --endpoint"
		if found[2] != "" {
			advice += " and write --region " + found[2]
		}
		return "", command.Usage("--endpoint is the address of a bucket at AWS", "for AWS, "+advice)
	case found[2] != "" && f.region != "" && f.region != found[2]:
		return "", command.Usage(fmt.Sprintf("--endpoint is in the region %s, not in %s", found[2], f.region),
			"for AWS, omit --endpoint and write the region of the bucket in --region")
	}
	return found[2], nil
}

// bucketInEndpoint returns the bucket with which the host of the endpoint begins, or "".
// That is mostly a mistake, but a server may have the name of a bucket.
func (f *flags) bucketInEndpoint() string {
	u, err := url.Parse(f.endpoint)
	if err != nil {
		return ""
	}
	for _, bucket := range f.buckets {
		if strings.HasPrefix(strings.ToLower(u.Hostname()), bucket+".") {
			return bucket
		}
	}
	return ""
}

// needsPathStyle tells whether the host of an endpoint is an IP address, or a name without
// a dot, such as localhost or that of a container. A bucket cannot be a part of an address,
// and no name server knows names below such a name.
func needsPathStyle(endpoint string) bool {
	u, err := url.Parse(endpoint)
	if err != nil || u.Hostname() == "" {
		return false
	}
	_, err = netip.ParseAddr(u.Hostname())
	return err == nil || !strings.Contains(u.Hostname(), ".")
}

// listen returns the address for recipients if it differs from the default. A URL with
// plain http and a port is mostly that of the service itself, so the service listens there.
func (f *flags) listen() string {
	u, err := url.Parse(f.publicURL)
	if err != nil || u.Scheme != "http" || u.Port() == "" || ":"+u.Port() == config.Default().Public.Listen {
		return ""
	}
	if _, err := strconv.ParseUint(u.Port(), 10, 16); err != nil {
		return ""
	}
	return ":" + u.Port()
}
