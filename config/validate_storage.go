package config

import (
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"
)

var (
	storageName = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,31}$`)
	// https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
	bucketName = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$`)
	regionName = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)
	// accessKeyID allows no slash, because slashes separate the parts of
	// X-Amz-Credential.
	accessKeyID = regexp.MustCompile(`^[!-.0-~]{1,256}$`)
)

func (k *checker) storages(storages []Storage) {
	if len(storages) == 0 {
		k.problem("storage", "is missing: add at least one storage with its buckets")
	}
	first := map[string]int{}
	for i, s := range storages {
		path := fmt.Sprintf("storage[%d]", i)
		switch j, twice := first[s.Name]; {
		case s.Name == "":
			k.problem(path+".name", "is missing: set a name, such as main")
		case !storageName.MatchString(s.Name):
			k.problem(path+".name",
				"must be 1 to 32 lower-case letters, digits or hyphens, not beginning with a hyphen")
		case twice:
			k.problem(path+".name", "is also the name of storage[%d]; give each storage its own name", j)
		default:
			first[s.Name] = i
		}
		k.storage(path, s)
	}
}

func (k *checker) storage(path string, s Storage) {
	endpoint, endpointErr := normalURL(s.Endpoint)
	public, publicErr := normalURL(s.PublicEndpoint)
	k.endpoint(path+".endpoint", endpoint, endpointErr)
	if s.PublicEndpoint != s.Endpoint {
		k.endpoint(path+".public_endpoint", public, publicErr)
	}
	if !s.PathStyle && hostIsAddress(public) {
		k.problem(path+".path_style", "must be true if recipients reach the store at an IP address: a host name cannot "+
			"have a bucket before an address")
	}
	switch {
	case s.Region == "" && s.Endpoint == "":
		k.problem(path+".region", "is missing: AWS needs the region of the buckets, such as eu-central-1")
	case s.Region != "" && !regionName.MatchString(s.Region):
		k.problem(path+".region", "must be the name of a region, such as eu-central-1")
	}
	k.buckets(path+".buckets", s)
	if s.AccessKeyID != "" && !accessKeyID.MatchString(s.AccessKeyID) {
		k.problem(path+".access_key_id", "must have no spaces and no slashes")
	}
	k.together(path, "access_key_id", "secret_access_key_file",
		s.AccessKeyID != "", s.SecretAccessKeyFile != "" || s.SecretAccessKey.Reveal() != "")
	k.between(path+".timeout", s.Timeout, minTimeout, maxTimeout)
}

func (k *checker) endpoint(path, normal string, err error) {
	switch {
	case err != nil:
		k.problem(path, "%s", err)
	case clearText(normal):
		k.warn(WarnHTTPEndpoint, path, "objects and presigned URLs are sent unencrypted over http; use https")
	}
}

// origins warns of objects that have the origin of the pages. The policy of the pages allows
// 'self', and browsers let an HTML object with that origin read the pages.
func (k *checker) origins(c *Config) {
	for i, s := range c.Storage {
		if s.PublicEndpoint == "" || !slices.Contains(s.origins(), c.Public.URL) {
			continue // AWS has hosts of its own
		}
		key := "public_endpoint"
		if s.PublicEndpoint == s.Endpoint {
			key = "endpoint"
		}
		k.warn(WarnSharedOrigin, fmt.Sprintf("storage[%d].%s", i, key),
			"recipients fetch objects from the origin of public.url, so the policy of the pages allows these objects "+
				"as scripts, and an HTML object can read the pages; give the store another host name")
	}
}

// origins returns the origins of presigned URLs: of the endpoint, or of each bucket at it.
func (s *Storage) origins() []string {
	if s.PathStyle {
		return []string{s.PublicEndpoint}
	}
	scheme, host, _ := strings.Cut(s.PublicEndpoint, "://")
	var all []string
	for _, bucket := range s.Buckets {
		all = append(all, scheme+"://"+bucket+"."+host)
	}
	return all
}

func (k *checker) buckets(path string, s Storage) {
	if len(s.Buckets) == 0 {
		k.problem(path, "is missing: list the buckets that links may point into")
	}
	for i, b := range s.Buckets {
		at := fmt.Sprintf("%s[%d]", path, i)
		switch why := bucketProblem(b); {
		case why != "":
			k.problem(at, "%s", why)
		case slices.Index(s.Buckets, b) < i:
			k.problem(at, "is listed twice")
		case strings.Contains(b, ".") && !s.PathStyle && !strings.HasPrefix(s.PublicEndpoint, "http://"):
			// A wildcard certificate covers one label: RFC 6125 6.4.3.
			k.warn(WarnDottedBucket, at, "has a dot, which the store's certificate for *.host does not cover: "+
				"set path_style, or recipients' browsers will show a warning")
		}
	}
}

// bucketProblem returns a message about an invalid name of a bucket, or "". It also
// refuses names of resources that look like buckets but need another kind of signature or
// cannot be presigned.
func bucketProblem(name string) string {
	for _, suffix := range []struct{ text, what string }{
		{"--x-s3", "a directory bucket (S3 Express), which signs with session credentials"},
		{"--ol-s3", "an alias of Object Lambda"},
		{"--table-s3", "a table bucket"},
		{".mrap", "a multi-region access point, which needs SigV4A"},
	} {
		if strings.HasSuffix(name, suffix.text) {
			return fmt.Sprintf("is %s: name a general purpose bucket", suffix.what)
		}
	}
	if strings.HasPrefix(name, "arn:") {
		return "is an ARN: name the bucket, or the access point's alias"
	}
	if !bucketName.MatchString(name) || strings.Contains(name, "..") {
		return "must be the name of a bucket, 3 to 63 lower-case letters, digits, dots or hyphens"
	}
	if _, err := netip.ParseAddr(name); err == nil {
		return "must be the name of a bucket, which is never an IP address"
	}
	return ""
}
