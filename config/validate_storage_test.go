package config

import (
	"strings"
	"testing"
)

func TestStorageRules(t *testing.T) {
	storage := func(change func(*Storage)) func(*Config) {
		return func(c *Config) { change(&c.Storage[0]) }
	}
	second := func(change func(*Storage)) func(*Config) {
		return func(c *Config) {
			s := DefaultStorage()
			s.Name, s.Region, s.Buckets = "cold", "eu-central-1", []string{"reports"}
			change(&s)
			c.Storage = append(c.Storage, s)
		}
	}
	const badName = "must be 1 to 32 lower-case letters, digits or hyphens, not beginning with a hyphen"
	checkRules(t, map[string]rule{
		"none": {
			change:   func(c *Config) { c.Storage = nil },
			problems: []string{"storage: is missing: add at least one storage with its buckets"},
		},
		"an empty one": {
			change: func(c *Config) { c.Storage = []Storage{{}} },
			problems: []string{
				"storage[0].buckets: is missing: list the buckets that links may point into",
				"storage[0].name: is missing: set a name, such as main",
				"storage[0].region: is missing: AWS needs the region of the buckets, such as eu-central-1",
				"storage[0].timeout: must be between 1ms and 1m, not 0s",
			},
		},
		"two with a bucket of one name": {change: second(func(*Storage) {})},
		"longest name": {change: storage(func(s *Storage) {
			s.Name = "0" + strings.Repeat("a-", 15) +
				"z"
		})},
		"name too long": {
			storage(func(s *Storage) { s.Name = strings.Repeat("a", 33) }),
			[]string{"storage[0].name: " + badName},
			nil,
		},
		"name in capitals": {storage(func(s *Storage) { s.Name = "Main" }), []string{"storage[0].name: " +
			badName}, nil},
		"name with a dot": {storage(func(s *Storage) { s.Name = "a.b" }), []string{"storage[0].name: " +
			badName}, nil},
		"name that begins with hyphen": {storage(func(s *Storage) { s.Name = "-a" }), []string{"storage[0].name: " +
			badName}, nil},
		"name twice": {
			change:   second(func(s *Storage) { s.Name = "main" }),
			problems: []string{"storage[1].name: is also the name of storage[0]; give each storage its own name"},
		},
		"endpoints": {change: storage(func(s *Storage) {
			s.Endpoint, s.PublicEndpoint = "http://127.0.0.1:9000", "https://files.example.com"
		})},
		"broken endpoints": {
			change: storage(func(s *Storage) { s.Endpoint, s.PublicEndpoint = "minio:9000", "https://files.example.com/s3" }),
			problems: []string{
				"storage[0].endpoint: must begin with https:// or http://",
				"storage[0].public_endpoint: must not have a path",
			},
		},
		"a broken endpoint is one problem": {
			change:   storage(func(s *Storage) { s.Endpoint = "ftp://minio" }),
			problems: []string{`storage[0].endpoint: must begin with https:// or http://`},
		},
		"plain http": {
			storage(func(s *Storage) { s.Endpoint = "http://minio:9000" }), nil,
			[]string{"http_endpoint storage[0].endpoint"},
		},
		"plain http to recipients": {
			storage(func(s *Storage) { s.Endpoint, s.PublicEndpoint = "http://minio:9000", "http://files.example.com" }), nil,
			[]string{"http_endpoint storage[0].endpoint", "http_endpoint storage[0].public_endpoint"},
		},
		"an address with path style": {change: storage(func(s *Storage) {
			s.Endpoint,
				s.PathStyle = "http://127.0.0.1:9000", true
		})},
		"an address behind a public name": {change: storage(func(s *Storage) {
			s.Endpoint,
				s.PublicEndpoint = "http://127.0.0.1:9000", "http://localhost:9000"
		})},
		"an address without path style": {
			change: storage(func(s *Storage) { s.Endpoint = "https://[2001:db8::1]:9000" }),
			problems: []string{"storage[0].path_style: must be true if recipients reach the store at an IP address: a host " +
				"name cannot have a bucket before an address"},
		},
		"no region at AWS": {
			change:   storage(func(s *Storage) { s.Region, s.PublicEndpoint = "", "https://files.example.com" }),
			problems: []string{"storage[0].region: is missing: AWS needs the region of the buckets, such as eu-central-1"},
		},
		"no region": {
			change:   storage(func(s *Storage) { s.Region = "eu/central" }),
			problems: []string{`storage[0].region: must be the name of a region, such as eu-central-1`},
		},
		"credentials": {change: storage(func(s *Storage) { s.AccessKeyID, s.SecretAccessKey = "AKIA+x=", NewSecret("s") })},
		"id alone": {
			change:   storage(func(s *Storage) { s.AccessKeyID = "AKID" }),
			problems: []string{"storage[0].secret_access_key_file: is missing: access_key_id needs it"},
		},
		"secret alone": {
			change:   storage(func(s *Storage) { s.SecretAccessKey = NewSecret(canary) }),
			problems: []string{"storage[0].access_key_id: is missing: secret_access_key_file needs it"},
		},
		"file alone": {
			change:   storage(func(s *Storage) { s.SecretAccessKeyFile = "f" }),
			problems: []string{"storage[0].access_key_id: is missing: secret_access_key_file needs it"},
		},
		"id with a slash": {
			change:   storage(func(s *Storage) { s.AccessKeyID, s.SecretAccessKey = "AKID/x", NewSecret("s") }),
			problems: []string{"storage[0].access_key_id: must have no spaces and no slashes"},
		},
		"id with a space": {
			change:   storage(func(s *Storage) { s.AccessKeyID, s.SecretAccessKey = "AKID ", NewSecret("s") }),
			problems: []string{"storage[0].access_key_id: must have no spaces and no slashes"},
		},
		"no buckets": {
			change:   storage(func(s *Storage) { s.Buckets = []string{} }),
			problems: []string{"storage[0].buckets: is missing: list the buckets that links may point into"},
		},
		"bucket twice": {
			change:   storage(func(s *Storage) { s.Buckets = []string{"reports", "exports", "reports"} }),
			problems: []string{"storage[0].buckets[2]: is listed twice"},
		},
		"bucket with a dot": {
			storage(func(s *Storage) { s.Buckets = []string{"files.example.com"} }), nil,
			[]string{"dotted_bucket storage[0].buckets[0]"},
		},
		"bucket with a dot in the path": {change: storage(func(s *Storage) {
			s.Buckets,
				s.PathStyle = []string{"files.example.com"}, true
		})},
		"bucket with a dot over http": {change: storage(func(s *Storage) {
			s.Buckets, s.Endpoint = []string{"files.example.com"}, "http://localhost:9000"
		})},
	})
}

func TestBucketNames(t *testing.T) {
	for _, name := range []string{
		"abc", "reports", "my-bucket-2", "a.b.c", "1abc", "abc1", "123", "192-168-0-1", "1.2.3", "a--b",
		strings.Repeat("a", 63), "team-x7k3m2q9w8e7r6t5y4u3i2o1p0use1a-s3alias", "x-s3", "a-ol-s3", "mrap",
	} {
		if why := bucketProblem(name); why != "" {
			t.Errorf("%q: %s", name, why)
		}
	}
	const plain = "must be the name of a bucket, 3 to 63 lower-case letters, digits, dots or hyphens"
	for name, want := range map[string]string{
		"":                      plain,
		"ab":                    plain,
		strings.Repeat("a", 64): plain,
		"Reports":               plain,
		"re_ports":              plain,
		"-abc":                  plain,
		"abc-":                  plain,
		".abc":                  plain,
		"abc.":                  plain,
		"..":                    plain,
		"a..b":                  plain,
		"a/../b":                plain,
		"evil.com/":             plain,
		"abc/prefix":            plain,
		"s3://abc":              plain,
		"*":                     plain,
		"abc\n":                 plain,
		"bücher":                plain,
		"192.168.0.1":           `must be the name of a bucket, which is never an IP address`,
		"fast--use1-az4--x-s3": "is a directory bucket (S3 Express), which signs with session credentials: " +
			"name a general purpose bucket",
		"x--x-s3": "is a directory bucket (S3 Express), which signs with session credentials: " +
			"name a general purpose bucket",
		"lambda-abc--ol-s3": "is an alias of Object Lambda: name a general purpose bucket",
		"rows--table-s3":    "is a table bucket: name a general purpose bucket",
		"mfzwi23gnjvgw.mrap": "is a multi-region access point, which needs SigV4A: name a general purpose " +
			"bucket",
		"arn:aws:s3:::reports": "is an ARN: name the bucket, or the access point's alias",
		"arn:aws:s3::1:accesspoint/a.mrap": "is a multi-region access point, which needs SigV4A: name a general purpose " +
			"bucket",
	} {
		if got := bucketProblem(name); got != want {
			t.Errorf("%q: %q, want %q", name, got, want)
		}
	}
}

// Objects with the origin of the pages are a warning, however the bucket is named.
func TestSharedOrigin(t *testing.T) {
	t.Parallel()
	const at, public = "shared_origin storage[0].endpoint", "shared_origin storage[0].public_endpoint"
	for name, tt := range map[string]struct {
		url, endpoint, public string
		pathStyle             bool
		want                  []string
	}{
		"the endpoint":     {"https://dl.example.com", "https://dl.example.com", "", true, []string{at}},
		"another spelling": {"https://DL.example.com:443/", "https://dl.example.com", "", true, []string{at}},
		"for recipients": {
			"https://dl.example.com", "https://s3.internal", "https://dl.example.com", true, []string{public},
		},
		"a bucket":           {"https://exports.example.com", "https://example.com", "", false, []string{at}},
		"the host of all":    {"https://example.com", "https://example.com", "", false, nil},
		"only the service's": {"https://dl.example.com", "https://dl.example.com", "https://s3.example.com", true, nil},
		"another port":       {"https://dl.example.com", "https://dl.example.com:9000", "", true, nil},
		"another scheme":     {"https://localhost", "http://localhost", "", true, nil},
		"a bucket in a path": {"https://exports.example.com", "https://example.com", "", true, nil},
	} {
		c := valid(t)
		c.Public.URL = tt.url
		s := &c.Storage[0]
		s.Endpoint, s.PublicEndpoint, s.PathStyle = tt.endpoint, tt.public, tt.pathStyle
		s.Buckets = []string{"reports", "exports"}
		c.normalise(func(string) bool { return true })
		problems, warnings := c.validate()
		if len(problems) > 0 {
			t.Errorf("%s: %v", name, problems)
		}
		t.Run(name, func(t *testing.T) { wantWarnings(t, warnings, tt.want...) })
	}
	// AWS has no endpoint, and a public URL that is missing is no origin.
	c := valid(t)
	c.Public.URL = ""
	if _, warnings := c.validate(); len(warnings) > 0 {
		t.Errorf("without an origin: %v", warnings)
	}
}
