package config

import (
	"reflect"
	"strings"
	"testing"
	"time"
)

// twoOfEach has two storages and two keys, one pair of names each that needs mapping.
const twoOfEach = `public: {url: "https://dl.example.com"}
operator:
  keys:
    - {name: ci, sha256: ` + hashA + `, can: [issue]}
    - {name: ci.night-ly, sha256: ` + hashB + `, can: [read]}
storage:
  - {name: main, region: eu-central-1, buckets: [reports]}
  - {name: cold-store, region: eu-central-1, buckets: [archive]}
`

func TestVariables(t *testing.T) {
	for variable, tt := range map[string]struct {
		value string
		get   func(*Config) any
		want  any
	}{
		"PUBLIC_LISTEN": {":80", func(c *Config) any { return c.Public.Listen }, ":80"},
		"PUBLIC_URL": {
			"https://x.example.com/", func(c *Config) any { return c.Public.URL },
			"https://x.example.com",
		},
		"PUBLIC_TRUSTED_PROXIES": {
			"10.0.0.0/8, 192.0.2.1",
			func(c *Config) any { return c.Public.TrustedProxies },
			[]string{"10.0.0.0/8", "192.0.2.1"},
		},
		"OPERATOR_LISTEN": {":81", func(c *Config) any { return c.Operator.Listen }, ":81"},
		"OPERATOR_URL": {
			"https://ops.example.com", func(c *Config) any { return c.Operator.URL },
			"https://ops.example.com",
		},
		"OPERATOR_KEYS_CI_SHA256": {
			strings.ToUpper(hashB[:63] + "c"),
			func(c *Config) any { return c.Operator.Keys[0].SHA256 }, hashB[:63] + "c",
		},
		"OPERATOR_KEYS_CI_CAN": {
			"read,browse", func(c *Config) any { return c.Operator.Keys[0].Can },
			[]string{"read", "browse"},
		},
		"OPERATOR_KEYS_CI_NIGHT_LY_CAN": {
			"revoke", func(c *Config) any { return c.Operator.Keys[1].Can },
			[]string{"revoke"},
		},
		"OPERATOR_KEYS_CI_OBJECTS": {
			"reports/a/*", func(c *Config) any { return c.Operator.Keys[0].Objects },
			[]string{"reports/a/*"},
		},
		"OPERATOR_KEYS_CI_MAX_EXPIRY": {
			"2h", func(c *Config) any { return c.Operator.Keys[0].MaxExpiry },
			2 * time.Hour,
		},
		"METRICS_LISTEN": {":9090", func(c *Config) any { return c.Metrics.Listen }, ":9090"},
		"REDIS_MODE":     {"cluster", func(c *Config) any { return c.Redis.Mode }, "cluster"},
		"REDIS_ADDRESSES": {
			"redis:6379", func(c *Config) any { return c.Redis.Addresses },
			[]string{"redis:6379"},
		},
		"REDIS_USERNAME": {"keyhole", func(c *Config) any { return c.Redis.Username }, "keyhole"},
		"REDIS_PASSWORD": {canary, func(c *Config) any { return c.Redis.Password.Reveal() }, canary},
		"REDIS_PASSWORD_FILE": {
			"/secrets/redis", func(c *Config) any { return c.Redis.Password.Reveal() },
			"from the file",
		},
		"REDIS_DATABASE":      {"3", func(c *Config) any { return c.Redis.Database }, 3},
		"REDIS_TLS_ENABLED":   {"true", func(c *Config) any { return c.Redis.TLS.Enabled }, true},
		"REDIS_PREFIX":        {"kh", func(c *Config) any { return c.Redis.Prefix }, "kh"},
		"REDIS_TIMEOUT":       {"1s", func(c *Config) any { return c.Redis.Timeout }, time.Second},
		"REDIS_WAIT_REPLICAS": {"0", func(c *Config) any { return c.Redis.WaitReplicas }, 0},
		"STORAGE_MAIN_ENDPOINT": {
			"https://S3.example.com:443",
			func(c *Config) any { return c.Storage[0].PublicEndpoint }, "https://s3.example.com",
		},
		"STORAGE_MAIN_PUBLIC_ENDPOINT": {
			"https://files.example.com",
			func(c *Config) any { return c.Storage[0].PublicEndpoint }, "https://files.example.com",
		},
		"STORAGE_MAIN_REGION":         {"us-west-2", func(c *Config) any { return c.Storage[0].Region }, "us-west-2"},
		"STORAGE_MAIN_PATH_STYLE":     {"true", func(c *Config) any { return c.Storage[0].PathStyle }, true},
		"STORAGE_COLD_STORE_BUCKETS":  {"one,two,", nil, nil},
		"STORAGE_COLD_STORE_TIMEOUT":  {"9s", func(c *Config) any { return c.Storage[1].Timeout }, 9 * time.Second},
		"STORAGE_MAIN_REQUESTER_PAYS": {"true", func(c *Config) any { return c.Storage[0].RequesterPays }, true},
		"REDIRECT_LIFETIME":           {"1m", func(c *Config) any { return c.Redirect.Lifetime }, time.Minute},
		"REDIRECT_MEDIA_LIFETIME":     {"1h", func(c *Config) any { return c.Redirect.MediaLifetime }, time.Hour},
		"REDIRECT_RESUME_WINDOW":      {"5m", func(c *Config) any { return c.Redirect.ResumeWindow }, 5 * time.Minute},
		"REDIRECT_OBJECT_CHECK":       {"0s", func(c *Config) any { return c.Redirect.ObjectCheck }, time.Duration(0)},
		"POLICY_MAX_EXPIRY":           {"200h", func(c *Config) any { return c.Policy.MaxExpiry }, 200 * time.Hour},
		"POLICY_CAPS_SENSITIVE":       {"1h", func(c *Config) any { return c.Policy.Caps.Sensitive }, time.Hour},
		"POLICY_CAPS_NOT_STATED":      {"2d", func(c *Config) any { return c.Policy.Caps.NotStated }, 48 * time.Hour},
		"POLICY_CAPS_NOT_SENSITIVE": {
			"6d", func(c *Config) any { return c.Policy.Caps.NotSensitive },
			144 * time.Hour,
		},
		"POLICY_RETENTION":                 {"24h", func(c *Config) any { return c.Policy.Retention }, 24 * time.Hour},
		"POLICY_PRESETS_HANDOFF":           {"5m", func(c *Config) any { return c.Policy.Presets.Handoff }, 5 * time.Minute},
		"POLICY_PASSPHRASE_MIN":            {"12", func(c *Config) any { return c.Policy.PassphraseMin }, 12},
		"POLICY_SENSITIVE_OBJECTS":         {"", func(c *Config) any { return c.Policy.SensitiveObjects }, []string{}},
		"AUDIT_CLIENT_ADDRESS":             {"off", func(c *Config) any { return c.Audit.ClientAddress }, "off"},
		"AUDIT_MAX_ENTRIES":                {"1000", func(c *Config) any { return c.Audit.MaxEntries }, 1000},
		"LOG_LEVEL":                        {"debug", func(c *Config) any { return c.Log.Level }, "debug"},
		"LOG_FORMAT":                       {"text", func(c *Config) any { return c.Log.Format }, "text"},
		"STORAGE_MAIN_SECRET_ACCESS_KEY":   {canary, nil, nil},
		"STORAGE_MAIN_ACCESS_KEY_ID":       {"AKID", nil, nil},
		"REDIS_SENTINEL_PASSWORD":          {canary, nil, nil},
		"OPERATOR_KEYS_CI_NIGHT_LY_SHA256": {hashA, nil, nil},
	} {
		t.Run(variable, func(t *testing.T) {
			c, _, err := loadText(twoOfEach, disk{"/secrets/redis": "from the file"}, "KEYHOLE_"+variable+"="+tt.value)
			if tt.get == nil {
				// Read, and found wanting: the problem names the variable or what it lacks.
				if err == nil || strings.Contains(err.Error(), "names no") || strings.Contains(err.Error(), canary) {
					t.Errorf("the problem is %v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got := tt.get(c); !reflect.DeepEqual(got, tt.want) {
				t.Errorf("got %#v, want %#v", got, tt.want)
			}
		})
	}
}

// Every key of the configuration has a variable that is known: none but the
// names of entries is left out, and no variable names two keys.
func TestEveryKeyHasItsVariable(t *testing.T) {
	c := valid(t)
	all := index(c)
	for path, s := range all.byPath {
		switch {
		case s.variable == "" && !strings.HasSuffix(path, "].name"):
			t.Errorf("%s has no variable", path)
		case s.variable != "" && len(all.byVariable[s.variable]) != 1:
			t.Errorf("%s names %d keys", s.variable, len(all.byVariable[s.variable]))
		}
	}
	if s := all.byPath["redis.sentinel_password"]; s.variable != "KEYHOLE_REDIS_SENTINEL_PASSWORD" ||
		s.twin != "redis.sentinel_password_file" {
		t.Errorf("the sentinels' password is %+v", s)
	}
}

func TestVariableProblems(t *testing.T) {
	for name, tt := range map[string]struct {
		environ []string
		want    []string
	}{
		"unknown, near": {
			[]string{"KEYHOLE_PUBLIC_ULR=x"},
			[]string{"KEYHOLE_PUBLIC_ULR: names no key of the configuration; did you mean KEYHOLE_PUBLIC_URL?"},
		},
		"unknown, begun": {
			[]string{"KEYHOLE_REDIS_ADDR=x"},
			[]string{"KEYHOLE_REDIS_ADDR: names no key of the configuration; did you mean KEYHOLE_REDIS_ADDRESSES?"},
		},
		"unknown, near a command's": {
			[]string{"KEYHOLE_KEYY=x", "KEYHOLE_CONFG=x"},
			[]string{
				"KEYHOLE_CONFG: names no key of the configuration; did you mean KEYHOLE_CONFIG?",
				"KEYHOLE_KEYY: names no key of the configuration; did you mean KEYHOLE_KEY?",
			},
		},
		"unknown, far": {
			[]string{"KEYHOLE_BANANA_SPLIT=x", "KEYHOLE_=x"},
			[]string{
				"KEYHOLE_: names no key of the configuration; unset it",
				"KEYHOLE_BANANA_SPLIT: names no key of the configuration; unset it",
			},
		},
		"lower case": {
			[]string{"KEYHOLE_public_url=x"},
			[]string{"KEYHOLE_public_url: names no key of the configuration; unset it"},
		},
		"unknown storage": {
			[]string{"KEYHOLE_STORAGE_NEW_ENDPOINT=x"},
			[]string{"KEYHOLE_STORAGE_NEW_ENDPOINT: names no storage of the file, which has main, cold-store: a variable " +
				"can only change an entry that is in the file"},
		},
		"unknown operator key": {
			[]string{"KEYHOLE_OPERATOR_KEYS_BOB_SHA256=" + hashA},
			[]string{"KEYHOLE_OPERATOR_KEYS_BOB_SHA256: names no operator key of the file, which has ci, ci.night-ly: a " +
				"variable can only change an entry that is in the file"},
		},
		"unknown key of a known storage": {
			[]string{"KEYHOLE_STORAGE_MAIN_REGOIN=x"},
			[]string{"KEYHOLE_STORAGE_MAIN_REGOIN: names no key of the configuration; did you mean " +
				"KEYHOLE_STORAGE_MAIN_REGION?"},
		},
		"name of an entry": {
			[]string{"KEYHOLE_STORAGE_MAIN_NAME=other"},
			[]string{"KEYHOLE_STORAGE_MAIN_NAME: names no key of the configuration; unset it"},
		},
		"wrong types": {
			[]string{
				"KEYHOLE_REDIS_TIMEOUT=5", "KEYHOLE_REDIS_DATABASE=", "KEYHOLE_REDIS_TLS_ENABLED=yes",
				"KEYHOLE_POLICY_RETENTION=30days", "KEYHOLE_REDIS_MODE=",
			},
			[]string{
				`KEYHOLE_POLICY_RETENTION: policy.retention: must be a duration such as 30s, 15m, 24h or 7d`,
				`KEYHOLE_REDIS_DATABASE: redis.database: must be a whole number`,
				`KEYHOLE_REDIS_MODE: redis.mode: must be single, sentinel, cluster or local`,
				"KEYHOLE_REDIS_TIMEOUT: redis.timeout: needs a unit: write 5s, 5m or 5h",
				`KEYHOLE_REDIS_TLS_ENABLED: redis.tls.enabled: must be true or false`,
			},
		},
		"lists": {
			[]string{
				"KEYHOLE_REDIS_ADDRESSES=a:1,,b:1", "KEYHOLE_STORAGE_MAIN_BUCKETS=",
				"KEYHOLE_OPERATOR_KEYS_CI_CAN=issue,fly",
			},
			[]string{
				`KEYHOLE_OPERATOR_KEYS_CI_CAN: operator.keys[0].can[1]: must be issue, read, revoke or browse`,
				"KEYHOLE_REDIS_ADDRESSES: redis.addresses: has an empty item: put one comma between two items",
				"KEYHOLE_STORAGE_MAIN_BUCKETS: storage[0].buckets: is missing: list the buckets that links may point into",
			},
		},
		"broken text": {
			[]string{
				"KEYHOLE_REDIS_USERNAME=a\nb", "KEYHOLE_REDIS_PREFIX=\xff",
				"KEYHOLE_PUBLIC_TRUSTED_PROXIES=10.0.0.1,a\x7f",
			},
			[]string{
				"KEYHOLE_PUBLIC_TRUSTED_PROXIES: public.trusted_proxies: contains a line break or another control character",
				"KEYHOLE_REDIS_PREFIX: redis.prefix: is not valid UTF-8",
				"KEYHOLE_REDIS_USERNAME: redis.username: contains a line break or another control character",
			},
		},
		"empty secret": {
			[]string{"KEYHOLE_REDIS_PASSWORD="},
			[]string{"KEYHOLE_REDIS_PASSWORD: redis.password: is empty: set it to the secret, or unset it"},
		},
		"empty secret of a pair": {
			[]string{"KEYHOLE_STORAGE_MAIN_ACCESS_KEY_ID=AKID", "KEYHOLE_STORAGE_MAIN_SECRET_ACCESS_KEY="},
			[]string{"KEYHOLE_STORAGE_MAIN_SECRET_ACCESS_KEY: storage[0].secret_access_key: is empty: set it to the " +
				"secret, or unset it"},
		},
		"secret with a line break": {
			[]string{"KEYHOLE_REDIS_PASSWORD=" + canary + "\n"},
			[]string{"KEYHOLE_REDIS_PASSWORD: redis.password: contains a line break or another control character"},
		},
		"secret and its file": {
			[]string{"KEYHOLE_REDIS_PASSWORD=" + canary, "KEYHOLE_REDIS_PASSWORD_FILE=/secrets/redis"},
			[]string{"KEYHOLE_REDIS_PASSWORD: redis.password: is set together with KEYHOLE_REDIS_PASSWORD_FILE: set one of " +
				"the two"},
		},
		"out of bounds": {
			[]string{"KEYHOLE_REDIRECT_LIFETIME=8h", "KEYHOLE_REDIS_WAIT_REPLICAS=17"},
			[]string{
				"KEYHOLE_REDIRECT_LIFETIME: redirect.lifetime: must be between 5s and 5m, not 8h",
				"KEYHOLE_REDIS_WAIT_REPLICAS: redis.wait_replicas: must be 0 to 16, not 17",
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, err := loadText(twoOfEach, disk{"/secrets/redis": "x"}, tt.environ...)
			wantLines(t, err, tt.want...)
		})
	}
}

// What is not ours to judge.
func TestVariablesLeftAlone(t *testing.T) {
	for _, name := range []string{
		"KEYHOLE_KEY", "KEYHOLE_CONTEXT", "KEYHOLE_CONFIG",
		// A Kubernetes service named keyhole, with a named port.
		"KEYHOLE_SERVICE_HOST", "KEYHOLE_SERVICE_PORT", "KEYHOLE_SERVICE_PORT_HTTP", "KEYHOLE_SERVICE_PORT_HTTP_METRICS",
		"KEYHOLE_PORT", "KEYHOLE_PORT_8080_TCP", "KEYHOLE_PORT_8080_TCP_PROTO", "KEYHOLE_PORT_8080_TCP_PORT",
		"KEYHOLE_PORT_8080_TCP_ADDR", "KEYHOLE_PORT_53_UDP", "KEYHOLE_PORT_53_UDP_ADDR",
		// Others beside it.
		"KEYHOLE_REDIS_SERVICE_HOST", "KEYHOLE_REDIS_PORT", "KEYHOLE_REDIS_PORT_6379_TCP_ADDR",
		"KEYHOLE_STORAGE_MAIN_PORT", "KEYHOLE_STORAGE_S3_SERVICE_PORT",
		"KEYHOLER_PUBLIC_URL", "XKEYHOLE_PUBLIC_URL",
	} {
		t.Run(name, func(t *testing.T) {
			if _, _, err := loadText(minimal, nil, name+"=tcp://10.0.0.1:80"); err != nil {
				t.Error(err)
			}
		})
	}
	for _, name := range []string{
		"KEYHOLE_SERVICE_HOSTS", "KEYHOLE_SERVICE", "KEYHOLE_PORTS", "KEYHOLE_PORT_X_TCP", "KEYHOLE_PORT_80_SCTP",
		"KEYHOLE_REDISPORT",
	} {
		t.Run(name, func(t *testing.T) {
			if _, _, err := loadText(minimal, nil, name+"=x"); err == nil {
				t.Error("is taken for what Kubernetes injects")
			}
		})
	}
}

// KEYHOLE_OPERATOR_URL tells the client commands where the service is, and names
// operator.url: it is read, and judged like any other.
func TestOperatorURLIsBoth(t *testing.T) {
	_, _, err := loadText(minimal, nil, "KEYHOLE_OPERATOR_URL=ops:8081")
	wantLines(t, err, "KEYHOLE_OPERATOR_URL: operator.url: must begin with https:// or http://")
}

func TestVariableCountsMoreThanFile(t *testing.T) {
	text := minimal + "redis: {password_file: /secrets/old}\n"
	files := disk{"/secrets/new": "new\n"}
	for name, environ := range map[string][]string{
		"secret over file": {"KEYHOLE_REDIS_PASSWORD=new"},
		"file over file":   {"KEYHOLE_REDIS_PASSWORD_FILE=/secrets/new"},
		"emptied file":     {"KEYHOLE_REDIS_PASSWORD=new", "KEYHOLE_REDIS_PASSWORD_FILE="},
	} {
		t.Run(name, func(t *testing.T) {
			// /secrets/old does not exist: it must not even be read.
			c, _, err := loadText(text, files, environ...)
			if err != nil {
				t.Fatal(err)
			}
			if got := c.Redis.Password.Reveal(); got != "new" {
				t.Errorf("the password is %q", got)
			}
			if c.Redis.PasswordFile == "/secrets/old" {
				t.Error("the file's key is still there")
			}
		})
	}
	c, _, err := loadText(text, files, "KEYHOLE_REDIS_PASSWORD_FILE=")
	if err != nil || c.Redis.Password.Reveal() != "" {
		t.Errorf("an emptied key: %v", err)
	}
}

// The last word is the override's, of a secret and its file as well.
func TestOverriddenSecret(t *testing.T) {
	o := LoadOptions{
		Path:      "keyhole.yaml",
		Environ:   []string{"KEYHOLE_REDIS_PASSWORD=variable"},
		Overrides: map[string]string{"redis.password_file": "/secrets/redis"},
	}
	c, _, err := load(o, disk{"keyhole.yaml": minimal, "/secrets/redis": "override\n"}.read)
	if err != nil {
		t.Fatal(err)
	}
	if got := c.Redis.Password.Reveal(); got != "override" {
		t.Errorf("the password is %q", got)
	}
}

// A mistake in the file stays one, even if a variable hides it.
func TestHiddenMistakeIsReported(t *testing.T) {
	_, _, err := loadText(minimal+"redis: {timeout: 5}\n", nil, "KEYHOLE_REDIS_TIMEOUT=5h")
	wantLines(
		t, err,
		"line 12: redis.timeout: needs a unit: write 5s, 5m or 5h",
		"KEYHOLE_REDIS_TIMEOUT: redis.timeout: must be between 1ms and 1m, not 5h",
	)
}

func TestSharedVariables(t *testing.T) {
	text := `public: {url: "https://dl.example.com"}
operator:
  keys:
    - {name: ci, sha256: ` + hashA + `, can: [issue]}
    - {name: CI, sha256: ` + hashB + `, can: [issue]}
storage:
  - {name: x, region: eu-central-1, buckets: [reports]}
  - {name: x-public, region: eu-central-1, buckets: [exports]}
`
	if _, _, err := loadText(text, nil); err != nil {
		t.Errorf("without the variables: %v", err)
	}
	_, _, err := loadText(text, nil, "KEYHOLE_OPERATOR_KEYS_CI_CAN=read",
		"KEYHOLE_STORAGE_X_PUBLIC_ENDPOINT=https://x.example.com")
	wantLines(
		t, err,
		"KEYHOLE_OPERATOR_KEYS_CI_CAN: names both operator.keys[0].can and operator.keys[1].can: set them in the file",
		"KEYHOLE_STORAGE_X_PUBLIC_ENDPOINT: names both storage[0].public_endpoint and storage[1].endpoint: set them in "+
			"the file",
	)
}

func TestNoEntriesAtAll(t *testing.T) {
	_, _, err := loadText("public: {url: \"https://dl.example.com\"}\n", nil, "KEYHOLE_STORAGE_NEW_BUCKETS=a",
		"KEYHOLE_OPERATOR_KEYS=x")
	wantLines(
		t, err,
		"KEYHOLE_OPERATOR_KEYS: names no key of the configuration; unset it",
		"KEYHOLE_STORAGE_NEW_BUCKETS: names no storage of the file, which has none: a variable can only change an entry "+
			"that is in the file",
		"storage: is missing: add at least one storage with its buckets",
	)
}
