package config

import (
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestEmptyFileIsDefaults(t *testing.T) {
	for name, text := range map[string]string{
		"empty":            "",
		"comments":         "# nothing yet\n",
		"null":             "---\n",
		"sections in name": "redis:\npolicy:\n  presets:\n",
	} {
		t.Run(name, func(t *testing.T) {
			c, _, err := loadText(text, nil)
			wantLines(
				t, err,
				"public.url: is missing: set the beginning of every link, such as https://dl.example.com",
				"storage: is missing: add at least one storage with its buckets",
			)
			if c != nil {
				t.Error("a configuration came with the error")
			}
		})
	}
}

// The values of the contract, written out once more.
func TestDefaults(t *testing.T) {
	want := Config{
		Public: Public{
			Listen: ":8080", URL: "https://dl.example.com", MaxConnections: 20000,
			IdleTimeout: 10*time.Minute + 20*time.Second,
		},
		Operator: Operator{Listen: "127.0.0.1:8081", Keys: []OperatorKey{{
			Name: "ci", SHA256: hashA,
			Can: []string{"issue"}, Objects: []string{"*"},
		}}, RequestsPerMinute: 120_000, OIDC: OIDC{NameClaim: "sub"}},
		Console: Console{Enabled: true, Idle: 30 * time.Minute, Max: 12 * time.Hour},
		Redis: Redis{
			Mode: "single", Addresses: []string{"127.0.0.1:6379"}, Prefix: "keyhole",
			Timeout: 500 * time.Millisecond,
		},
		Storage: []Storage{{
			Name: "main", Region: "eu-central-1", Buckets: []string{"reports", "exports"}, Timeout: 3 * time.Second,
		}},
		Redirect: Redirect{
			Lifetime: 30 * time.Second, MediaLifetime: 30 * time.Second,
			ResumeWindow: 10 * time.Minute, ObjectCheck: 5 * time.Second,
		},
		Policy: Policy{
			MaxExpiry: 7 * 24 * time.Hour, Retention: 30 * 24 * time.Hour,
			Caps: Caps{Sensitive: 24 * time.Hour, NotStated: 24 * time.Hour, NotSensitive: 7 * 24 * time.Hour},
			Presets: Presets{
				Handoff: 15 * time.Minute, Troubleshooting: time.Hour,
				Business: 24 * time.Hour, Extended: 7 * 24 * time.Hour,
			},
			PassphraseMin:    8,
			SensitiveObjects: []string{"*/invoices/*"},
		},
		Audit: Audit{ClientAddress: "full", MaxEntries: 1000000},
		Pages: Pages{Organization: "Example", Sender: "organization"},
		Log:   Log{Level: "info", Format: "json"},
	}
	if got := valid(t); !reflect.DeepEqual(*got, want) {
		t.Errorf("defaults:\n%+v\nwant:\n%+v", *got, want)
	}
}

func TestPrecedence(t *testing.T) {
	text := minimal + "redis: {timeout: 100ms, prefix: file, username: file, database: 1}\n"
	environ := []string{
		"KEYHOLE_REDIS_PREFIX=variable", "KEYHOLE_REDIS_USERNAME=first", "KEYHOLE_REDIS_USERNAME=variable",
		"KEYHOLE_REDIS_DATABASE=2", "PATH=/bin", "NOT_KEYHOLE_REDIS_PREFIX=x", "KEYHOLE_without_equals_sign",
	}
	c, _, err := load(LoadOptions{
		Path: "keyhole.yaml", Environ: environ,
		Overrides: map[string]string{
			"redis.database": "3", "storage.main.timeout": "1s",
			"operator.keys.ci.can": "read, revoke",
		},
	}, disk{"keyhole.yaml": text}.read)
	if err != nil {
		t.Fatal(err)
	}
	if c.Redis.Mode != "single" || c.Redis.Timeout != 100*time.Millisecond ||
		c.Redis.Prefix != "variable" || c.Redis.Username != "variable" || c.Redis.Database != 3 {
		t.Errorf("redis is %+v", c.Redis)
	}
	if c.Storage[0].Timeout != time.Second {
		t.Errorf("storage.main.timeout is %s, want the override's 1s", c.Storage[0].Timeout)
	}
	if got := c.Operator.Keys[0].Can; !reflect.DeepEqual(got, []string{"read", "revoke"}) {
		t.Errorf("can is %q", got)
	}
}

func TestOverrideProblems(t *testing.T) {
	_, _, err := load(LoadOptions{
		Path:      "keyhole.yaml",
		Overrides: map[string]string{"redis.tiemout": "1s", "redis.timeout": "1", "public.listen": "8080"},
	}, disk{"keyhole.yaml": minimal}.read)
	wantLines(
		t, err,
		`public.listen: must be host:port`,
		"redis.tiemout: names no key, or more than one key",
		"redis.timeout: needs a unit: write 1s, 1m or 1h",
	)
}

const tenMistakes = `public:
  url: https://dl.example.com/links
  trusted_proxies: [0.0.0.0/0]
operator:
  keys:
    - name: ci
      sha256: abc
      can: [issue, destroy]
redis:
  adresses: [redis:6379]
  timeout: 500
storage:
  - name: main
    endpoint: minio:9000
    buckets: [reports, Exports]
redirect:
  lifetime: 500ms
policy:
  max_expiry: 8 days
`

func TestTenMistakesAreTen(t *testing.T) {
	_, _, err := loadText(tenMistakes, nil)
	want := []string{
		"line 2: public.url: must not have a path",
		`line 3: public.trusted_proxies[0]: "0.0.0.0/0" is too wide: list only your proxies, as networks of /8 or narrower`,
		"line 7: operator.keys[0].sha256: must be 64 hexadecimal digits, the SHA-256 of the key, as `keyhole key new` " +
			"prints it",
		`line 8: operator.keys[0].can[1]: must be issue, read, revoke or browse`,
		"line 10: redis.adresses: unknown key; did you mean addresses?",
		"line 11: redis.timeout: needs a unit: write 500s, 500m or 500h",
		"line 14: storage[0].endpoint: must begin with https:// or http://",
		`line 15: storage[0].buckets[1]: must be the name of a bucket, 3 to 63 lower-case letters, digits, dots or hyphens`,
		"line 17: redirect.lifetime: must be between 5s and 5m, not 500ms",
		`line 19: policy.max_expiry: must be a duration such as 30s, 15m, 24h or 7d`,
	}
	wantLines(t, err, want...)
	if len(want) != 10 {
		t.Errorf("the table has %d mistakes, not ten", len(want))
	}
}

func TestAllSourcesInOneList(t *testing.T) {
	text := minimal + "redis:\n  mode: sentinel\n  database: -1\n  password_file: /secrets/gone\n"
	_, _, err := loadText(text, nil, "KEYHOLE_REDIS_TIMEOUT=0s", "KEYHOLE_REDIS_PREFX=x", "KEYHOLE_LOG_LEVEL=loud")
	wantLines(
		t, err,
		"line 12: redis.master_name: is missing: mode sentinel needs the Sentinels' name for the master",
		"line 14: redis.database: must be 0 or more, not -1",
		`line 15: redis.password_file: the file cannot be read: file does not exist. Its name is not shown, because it `+
			`may be a secret`,
		"KEYHOLE_REDIS_PREFX: names no key of the configuration; did you mean KEYHOLE_REDIS_PREFIX?",
		`KEYHOLE_LOG_LEVEL: log.level: must be debug, info, warn or error`,
		"KEYHOLE_REDIS_TIMEOUT: redis.timeout: must be between 1ms and 1m, not 0s",
	)
}

// A mistake is named once: what follows from it is not a second one.
func TestOneMistakeIsOneProblem(t *testing.T) {
	for name, tt := range map[string]struct{ text, want string }{
		"mistyped required key": {
			strings.Replace(minimal, "{url:", "{ulr:", 1),
			"line 2: public.ulr: unknown key; did you mean url?",
		},
		"required section of the wrong type": {
			strings.Replace(minimal, "public: {url: https://dl.example.com}\n", "public: 5\n", 1),
			"line 2: public: must be keys and values, not a number",
		},
		"list without items": {
			strings.Replace(minimal, "buckets: [reports, exports]", "buckets:", 1),
			"line 11: storage[0].buckets: must be a list, not nothing; write [] for an empty list",
		},
		"cap of the wrong type": {
			minimal + "policy: {max_expiry: soon, presets: {handoff: 1h}}\n",
			`line 12: policy.max_expiry: must be a duration such as 30s, 15m, 24h or 7d`,
		},
		"cap out of bounds": {
			minimal + "policy: {max_expiry: 1s}\n",
			"line 12: policy.max_expiry: must be between 1m and 8760h, not 1s",
		},
		"mode that is none": {
			minimal + "redis: {mode: 5, master_name: m, addresses: [a:1, b:1]}\n",
			`line 12: redis.mode: must be single, sentinel, cluster or local`,
		},
		"plain secret": {
			minimal + "    access_key_id: AKID\n    secret_access_key: " + canary + "\n",
			"line 13: storage[0].secret_access_key: secrets are not allowed in this file: set secret_access_key_file to " +
				"the path of a file with the secret, or set the variable",
		},
		"whole file of the wrong type": {
			"- public\n",
			"line 1: must be keys and values, not a list",
		},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, err := loadText(tt.text, nil)
			wantLines(t, err, tt.want)
		})
	}
}

func TestLoadFromDisk(t *testing.T) {
	secret := writeFile(t, "secret", canary+"\n", 0o600)
	text := minimal + "    access_key_id: AKID\n    secret_access_key_file: " + secret + "\n"
	c, warnings, err := Load(LoadOptions{Path: writeFile(t, "keyhole.yaml", text, 0o644)})
	if err != nil || len(warnings) > 0 {
		t.Fatal(err, warnings)
	}
	if got := c.Storage[0].SecretAccessKey.Reveal(); got != canary {
		t.Errorf("the secret is %q", got)
	}
}

func TestUnreadableFile(t *testing.T) {
	dir := t.TempDir()
	gone := filepath.Join(dir, "gone.yaml")
	large := writeFile(t, "large.yaml", strings.Repeat("#", maxFile+1), 0o600)
	for path, want := range map[string]string{
		gone:  gone + " cannot be read: no such file or directory",
		dir:   dir + " cannot be read: is a directory",
		large: large + " cannot be read: it is larger than 1024 KiB",
	} {
		_, _, err := Load(LoadOptions{Path: path, Environ: []string{"KEYHOLE_NONSENSE=1"}})
		wantLines(t, err, want)
	}
}

func TestWithoutFile(t *testing.T) {
	_, _, err := Load(LoadOptions{Environ: []string{"KEYHOLE_PUBLIC_URL=https://dl.example.com"}})
	wantLines(t, err, "storage: is missing: add at least one storage with its buckets")
}

func TestPrepare(t *testing.T) {
	c := Default()
	c.Public.URL = "HTTP://LocalHost:80/"
	c.Policy.MaxExpiry, c.Pages.Organization = 2*time.Hour, "Example"
	c.Storage = []Storage{DefaultStorage()}
	c.Storage[0].Name, c.Storage[0].Endpoint, c.Storage[0].PathStyle = "demo", "http://127.0.0.1:9000", true
	c.Storage[0].Buckets = []string{"samples"}
	c.Storage[0].AccessKeyID, c.Storage[0].SecretAccessKey = "AKID", NewSecret(canary)
	warnings, err := c.Prepare()
	if err != nil {
		t.Fatal(err)
	}
	wantWarnings(t, warnings, "no_operator_keys operator.keys")
	if c.Public.URL != "http://localhost" || c.Storage[0].PublicEndpoint != "http://127.0.0.1:9000" ||
		c.Storage[0].Region != "us-east-1" {
		t.Errorf("not in its final form: %q %+v", c.Public.URL, c.Storage[0])
	}
	if c.Policy.Presets.Business != 2*time.Hour || c.Policy.Presets.Handoff != 15*time.Minute {
		t.Errorf("presets are %+v", c.Policy.Presets)
	}

	c.Redis.Timeout, c.Audit.MaxEntries = 0, 999
	_, err = c.Prepare()
	wantLines(
		t, err,
		"audit.max_entries: must be at least 1000, not 999",
		"redis.timeout: must be between 1ms and 1m, not 0s",
	)
}

// Loading twice, or preparing what was loaded, changes nothing.
func TestFinalFormIsStable(t *testing.T) {
	text := strings.Replace(minimal, "https://dl.example.com", "HTTPS://DL.Example.COM:443/", 1)
	c, _, err := loadText(text, nil)
	if err != nil {
		t.Fatal(err)
	}
	again := *c
	if _, err := again.Prepare(); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(*c, again) {
		t.Errorf("prepared again:\n%+v\nwas:\n%+v", again, *c)
	}
}

func TestBaseURL(t *testing.T) {
	secure := Operator{TLS: TLS{CertFile: "c", KeyFile: "k"}}
	for _, tt := range []struct {
		operator        Operator
		listening, want string
	}{
		{Operator{URL: "https://ops.example.com"}, "127.0.0.1:8081", "https://ops.example.com"},
		{Operator{}, "127.0.0.1:8081", "http://127.0.0.1:8081"},
		{Operator{}, "[::]:41234", "http://127.0.0.1:41234"},
		{Operator{}, "0.0.0.0:8081", "http://127.0.0.1:8081"},
		{Operator{}, ":8081", "http://127.0.0.1:8081"},
		{Operator{}, "[::1]:8081", "http://[::1]:8081"},
		{secure, "ops:8081", "https://ops:8081"},
		{Operator{}, "pipe", "http://pipe"},
	} {
		if got := tt.operator.BaseURL(tt.listening); got != tt.want {
			t.Errorf("BaseURL(%q) = %q, want %q", tt.listening, got, tt.want)
		}
	}
}
