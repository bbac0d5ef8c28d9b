package config

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"io/fs"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// certificate makes a self-signed certificate and its key, in PEM.
func certificate(t *testing.T) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		Subject:      pkix.Name{CommonName: "keyhole"},
		NotAfter:     time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})),
		string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}))
}

func TestSecretFiles(t *testing.T) {
	for name, tt := range map[string]struct {
		contents, want, problem string
	}{
		"plain":                    {contents: "abc", want: "abc"},
		"line break":               {contents: "abc\n", want: "abc"},
		"Windows line break":       {contents: "abc\r\n", want: "abc"},
		"spaces are the secret's":  {contents: " abc \n", want: " abc "},
		"only one break is taken":  {contents: "abc\n\n", problem: "contains a line break or another control character"},
		"carriage return":          {contents: "abc\r", problem: "contains a line break or another control character"},
		"two lines":                {contents: "abc\ndef\n", problem: "contains a line break or another control character"},
		"binary":                   {contents: "\xff\xfe", problem: "is not valid UTF-8"},
		"empty":                    {contents: "", problem: "is empty: write the secret into it"},
		"a line break and no more": {contents: "\n", problem: "is empty: write the secret into it"},
		"too large":                {contents: strings.Repeat("a", maxSecret+1), problem: "cannot be read: it is too large"},
	} {
		t.Run(name, func(t *testing.T) {
			c, _, err := loadText(minimal+"redis:\n  password_file: /secrets/a\n", disk{"/secrets/a": tt.contents})
			if tt.problem != "" {
				wantLines(t, err, `line 13: redis.password_file: "/secrets/a" `+tt.problem)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got := c.Redis.Password.Reveal(); got != tt.want {
				t.Errorf("the secret is %q, want %q", got, tt.want)
			}
		})
	}
}

// Every key that ends in _file is read, and the problem is told where it was set.
func TestUnreadableFiles(t *testing.T) {
	text := minimal + `    access_key_id: AKID
    secret_access_key_file: /gone/1
    ca_file: /gone/2
redis:
  mode: sentinel
  master_name: m
  password_file: /gone/3
  tls: {enabled: true, ca_file: /gone/4, cert_file: /gone/5, key_file: /gone/6}
`
	_, _, err := loadText(
		text, nil, "KEYHOLE_OPERATOR_OIDC_CA_FILE=/gone/12",
		"KEYHOLE_REDIS_SENTINEL_PASSWORD_FILE=/gone/7", "KEYHOLE_PUBLIC_TLS_CERT_FILE=/gone/8",
		"KEYHOLE_PUBLIC_TLS_KEY_FILE=/gone/9", "KEYHOLE_OPERATOR_TLS_CERT_FILE=/gone/10",
		"KEYHOLE_OPERATOR_TLS_KEY_FILE=/gone/11", "KEYHOLE_PAGES_LOGO_FILE=/gone/13",
		"KEYHOLE_OPERATOR_OIDC_CLIENT_SECRET_FILE=/gone/14", "KEYHOLE_PUBLIC_TLS_ACME_SECRET_FILE=/gone/15",
	)
	wantLines(
		t, err,
		"line 2: public.tls.acme.domains: is missing: list the names of the certificate, the host of public.url among them",
		`line 3: operator.oidc.issuer: is missing: without it no token is accepted`,
		`line 13: storage[0].secret_access_key_file: the file cannot be read: file does not exist. Its name is not `+
			`shown, because it may be a secret`,
		`line 14: storage[0].ca_file: the file cannot be read: file does not exist. Its name is not shown, because it `+
			`may be a secret`,
		`line 18: redis.password_file: the file cannot be read: file does not exist. Its name is not shown, because it `+
			`may be a secret`,
		`line 19: redis.tls.ca_file: the file cannot be read: file does not exist. Its name is not shown, because it `+
			`may be a secret`,
		`line 19: redis.tls.cert_file: the file cannot be read: file does not exist. Its name is not shown, because it `+
			`may be a secret`,
		`line 19: redis.tls.key_file: the file cannot be read: file does not exist. Its name is not shown, because it `+
			`may be a secret`,
		`KEYHOLE_OPERATOR_OIDC_CA_FILE: operator.oidc.ca_file: the file cannot be read: file does not exist. Its name `+
			`is not shown, because it may be a secret`,
		`KEYHOLE_OPERATOR_OIDC_CLIENT_SECRET_FILE: operator.oidc.client_secret_file: the file cannot be read: file does `+
			`not exist. Its name is not shown, because it may be a secret`,
		`KEYHOLE_OPERATOR_TLS_CERT_FILE: operator.tls.cert_file: the file cannot be read: file does not exist. Its name `+
			`is not shown, because it may be a secret`,
		`KEYHOLE_OPERATOR_TLS_KEY_FILE: operator.tls.key_file: the file cannot be read: file does not exist. Its name `+
			`is not shown, because it may be a secret`,
		`KEYHOLE_PAGES_LOGO_FILE: pages.logo_file: the file cannot be read: file does not exist. Its name is not shown, `+
			`because it may be a secret`,
		`KEYHOLE_PUBLIC_TLS_ACME_SECRET_FILE: public.tls.acme.secret_file: the file cannot be read: file does not exist. `+
			`Its name is not shown, because it may be a secret`,
		`KEYHOLE_PUBLIC_TLS_CERT_FILE: public.tls.cert_file: the file cannot be read: file does not exist. Its name is `+
			`not shown, because it may be a secret`,
		`KEYHOLE_PUBLIC_TLS_KEY_FILE: public.tls.key_file: the file cannot be read: file does not exist. Its name is `+
			`not shown, because it may be a secret`,
		`KEYHOLE_REDIS_SENTINEL_PASSWORD_FILE: redis.sentinel_password_file: the file cannot be read: file does not `+
			`exist. Its name is not shown, because it may be a secret`,
	)
	c := Default()
	c.Storage = []Storage{DefaultStorage()}
	files := 0
	for _, s := range settings(c) {
		if strings.HasSuffix(s.path, "_file") {
			files++
		}
	}
	if named := strings.Count(err.Error(), "cannot be read"); named != files {
		t.Errorf("%d files are tried here, and the configuration has %d", named, files)
	}
}

func TestCertificates(t *testing.T) {
	cert, key := certificate(t)
	otherCert, otherKey := certificate(t)
	files := disk{
		"/tls/cert": cert, "/tls/key": key, "/tls/other": otherKey, "/tls/text": "no PEM",
		"/tls/both": cert + otherCert, "/open/key": key,
	}
	for name, tt := range map[string]struct {
		text     string
		problems []string
		warnings []string
	}{
		"a pair for each listener": {
			text: "    ca_file: /tls/both\nmetrics: {listen: \":9090\"}\nredis: {tls: {enabled: true, ca_file: /tls/cert, " +
				"cert_file: /tls/cert, key_file: /tls/key}}\n",
		},
		"a key that all can read": {
			text:     "redis: {tls: {enabled: true, cert_file: /tls/cert, key_file: /open/key}}\n",
			warnings: []string{"secret_file_mode redis.tls.key_file"},
		},
		"another's key": {
			text: "redis: {tls: {enabled: true, cert_file: /tls/cert, key_file: /tls/other}}\n",
			problems: []string{`line 12: redis.tls.cert_file: "/tls/cert" cannot be used with the key in "/tls/other": ` +
				`private key does not match public key`},
		},
		"no PEM for a certificate": {
			text: "redis: {tls: {enabled: true, cert_file: /tls/text, key_file: /tls/key}}\n",
			problems: []string{`line 12: redis.tls.cert_file: "/tls/text" cannot be used with the key in "/tls/key": ` +
				`failed to find any PEM data in certificate input`},
		},
		"no PEM for authorities": {
			text: "    ca_file: /tls/text\nredis: {tls: {enabled: true, ca_file: /tls/key}}\n",
			problems: []string{
				`line 12: storage[0].ca_file: "/tls/text" contains no PEM certificate`,
				`line 13: redis.tls.ca_file: "/tls/key" contains no PEM certificate`,
			},
		},
		"half a pair that cannot be read": {
			text: "redis: {tls: {enabled: true, key_file: /gone}}\n",
			problems: []string{
				"line 12: redis.tls.cert_file: is missing: key_file needs it",
				`line 12: redis.tls.key_file: the file cannot be read: file does not exist. Its name is not shown, because it ` +
					`may be a secret`,
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			_, warnings, err := loadText(minimal+tt.text, files)
			wantLines(t, err, tt.problems...)
			wantWarnings(t, warnings, tt.warnings...)
		})
	}
	for _, section := range []string{"PUBLIC", "OPERATOR"} {
		c, _, err := loadText(minimal, files, "KEYHOLE_"+section+"_TLS_CERT_FILE=/tls/cert",
			"KEYHOLE_"+section+"_TLS_KEY_FILE=/tls/key")
		if err != nil {
			t.Fatal(err)
		}
		if c.Public.TLS.CertFile+c.Operator.TLS.CertFile != "/tls/cert" {
			t.Errorf("%s has no certificate", section)
		}
	}
}

// The mode of real files, which the tests above only pretend.
func TestSecretFileModes(t *testing.T) {
	for mode, warned := range map[fs.FileMode]bool{
		0o600: false, 0o640: false, 0o400: false, 0o644: true, 0o604: true,
		0o666: true,
	} {
		path := writeFile(t, "secret", canary+"\n", mode)
		c, warnings, err := Load(LoadOptions{
			Path:    writeFile(t, "keyhole.yaml", minimal, 0o644),
			Environ: []string{"KEYHOLE_REDIS_PASSWORD_FILE=" + path},
		})
		if err != nil {
			t.Fatal(err)
		}
		if c.Redis.Password.Reveal() != canary {
			t.Error("the secret was not read")
		}
		var want []string
		if warned {
			want = []string{"secret_file_mode redis.password_file"}
		}
		wantWarnings(t, warnings, want...)
	}
}

// A secret that stands where the name of its file belongs is not repeated.
func TestSecretForAFile(t *testing.T) {
	for _, variable := range []string{"KEYHOLE_REDIS_PASSWORD_FILE", "KEYHOLE_STORAGE_MAIN_SECRET_ACCESS_KEY_FILE"} {
		_, _, err := loadText(minimal+"    access_key_id: AKID\n", nil, variable+"=hunter2/canary+x")
		if err == nil || strings.Contains(err.Error(), "canary") || !strings.Contains(err.Error(), "Its name is not shown") {
			t.Errorf("%s: %v", variable, err)
		}
	}
}

// A file of the largest size is read whole and unchanged; the error of a larger one names
// the file and the limit.
func TestReadSecretFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "secret")
	if _, err := ReadSecretFile(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("missing: %v", err)
	}
	text := " secret \r\n" + strings.Repeat("a", maxSecret-10)
	for _, tt := range []struct{ text, want, message string }{
		{text, text, ""},
		{text + "a", "", "read " + path + ": it is larger than 64 KiB"},
		{"", "", ""},
	} {
		if err := os.WriteFile(path, []byte(tt.text), 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := ReadSecretFile(path)
		if got != tt.want || err == nil && tt.message != "" || err != nil && err.Error() != tt.message {
			t.Errorf("%d bytes: got %d, %v", len(tt.text), len(got), err)
		}
	}
}
