package signer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials/ec2rolecreds"
	"github.com/aws/smithy-go"
)

// chain returns the default chain in an environment that holds nothing of this
// machine's but what the test puts there, files by name and variables.
func chain(t *testing.T, files, variables map[string]string) (*Credentials, error) {
	t.Helper()
	for _, v := range os.Environ() {
		if name, value, _ := strings.Cut(v, "="); strings.HasPrefix(name, "AWS_") {
			t.Setenv(name, value) // brings it back afterwards
			if err := os.Unsetenv(name); err != nil {
				t.Fatal(err)
			}
		}
	}
	dir := t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(strings.ReplaceAll(text, "DIR", dir)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("AWS_CONFIG_FILE", filepath.Join(dir, "config"))
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", filepath.Join(dir, "credentials"))
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	for name, value := range variables {
		t.Setenv(name, strings.ReplaceAll(value, "DIR", dir))
	}
	return NewCredentials(t.Context(), CredentialOptions{Region: "eu-west-1", Clock: NewClock(time.Now)})
}

// metadata plays the parts of AWS that hand out credentials: STS, an
// instance's metadata and a container's.
func metadata(t *testing.T, expires time.Time) *httptest.Server {
	t.Helper()
	stamp := expires.UTC().Format(time.RFC3339)
	mux := http.NewServeMux()
	mux.HandleFunc("POST /{$}", func(w http.ResponseWriter, r *http.Request) {
		if r.FormValue("Action") != "AssumeRoleWithWebIdentity" || r.FormValue("WebIdentityToken") != "jwt" {
			http.Error(w, "not what a role is assumed with", http.StatusBadRequest)
			return
		}
		_, _ = fmt.Fprintf(w, `<AssumeRoleWithWebIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">`+
			`<AssumeRoleWithWebIdentityResult><Credentials>`+
			`<AccessKeyId>ASIAWEB</AccessKeyId><SecretAccessKey>web</SecretAccessKey>`+
			`<SessionToken>token</SessionToken><Expiration>%s</Expiration></Credentials>`+
			`</AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>`, stamp)
	})
	mux.HandleFunc("PUT /latest/api/token", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Aws-Ec2-Metadata-Token-Ttl-Seconds", "21600")
		_, _ = fmt.Fprint(w, "imds")
	})
	mux.HandleFunc("GET /latest/meta-data/iam/security-credentials/{$}", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = fmt.Fprint(w, "gateway")
	})
	answer := func(id string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			_ = json.NewEncoder(w).Encode(map[string]string{
				"Code": "Success", "AccessKeyId": id, "SecretAccessKey": "secret", "Token": "token", "Expiration": stamp,
			})
		}
	}
	mux.HandleFunc("GET /latest/meta-data/iam/security-credentials/gateway", answer("ASIAINSTANCE"))
	mux.HandleFunc("GET /container", answer("ASIACONTAINER"))
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return server
}

// TestDefaultChain finds a credential at each place where the SDK looks, with
// the expiry that its giver stated and not one moved by a cache.
func TestDefaultChain(t *testing.T) {
	expires := time.Now().Add(30 * time.Minute).Truncate(time.Second).UTC()
	server := metadata(t, expires)
	for _, c := range []struct {
		name      string
		files     map[string]string
		variables map[string]string
		id        string
		canExpire bool
	}{
		{
			"environment", nil,
			map[string]string{"AWS_ACCESS_KEY_ID": "AKIAENV", "AWS_SECRET_ACCESS_KEY": "env"},
			"AKIAENV",
			false,
		},
		{
			"profile",
			map[string]string{"credentials": "[gateway]\naws_access_key_id = AKIAPROFILE\naws_secret_access_key = profile\n"},
			map[string]string{"AWS_PROFILE": "gateway"},
			"AKIAPROFILE", false,
		},
		{
			"credential process",
			map[string]string{
				"config": "[default]\ncredential_process = /bin/cat DIR/out\n",
				"out": `{"Version":1,"AccessKeyId":"ASIAPROCESS","SecretAccessKey":"s",` +
					`"Expiration":"` + expires.Format(time.RFC3339) + `"}`,
			},
			nil, "ASIAPROCESS", true,
		},
		{
			"web identity",
			map[string]string{"jwt": "jwt"},
			map[string]string{
				"AWS_WEB_IDENTITY_TOKEN_FILE": "DIR/jwt", "AWS_ROLE_ARN": "arn:aws:iam::123456789012:role/gateway",
				"AWS_ENDPOINT_URL_STS": server.URL,
			},
			"ASIAWEB", true,
		},
		{
			"container", nil,
			map[string]string{"AWS_CONTAINER_CREDENTIALS_FULL_URI": server.URL + "/container"},
			"ASIACONTAINER", true,
		},
		{
			"instance", nil,
			map[string]string{"AWS_EC2_METADATA_DISABLED": "false", "AWS_EC2_METADATA_SERVICE_ENDPOINT": server.URL},
			"ASIAINSTANCE", true,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := repeated(func() (aws.Credentials, error) {
				credentials, err := chain(t, c.files, c.variables) // It keeps an error for a while.
				if err != nil {
					t.Fatal(err)
				}
				return credentials.Retrieve(t.Context())
			})
			if err != nil || got.AccessKeyID != c.id || got.SecretAccessKey == "" {
				t.Fatalf("got %q, %v; want %q", got.AccessKeyID, err, c.id)
			}
			if got.CanExpire != c.canExpire || c.canExpire && !got.Expires.Equal(expires) {
				t.Errorf("expires %v at %v, want %v at %v", got.CanExpire, got.Expires, c.canExpire, expires)
			}
		})
	}
}

// repeated calls retrieve until it returns no error, five times at most. The SDK waits for an
// instance's metadata for half a second, which is too short for a slow machine.
func repeated(retrieve func() (aws.Credentials, error)) (got aws.Credentials, err error) {
	for range 5 {
		if got, err = retrieve(); err == nil {
			break
		}
	}
	return got, err
}

// TestDefaultChainAsksAnew shows that a renewal reaches the giver, past the
// SDK's own cache, and that an outage does not lengthen a credential's life.
func TestDefaultChainAsksAnew(t *testing.T) {
	server := metadata(t, time.Now().Add(30*time.Minute))
	credentials, err := chain(t, nil, map[string]string{
		"AWS_EC2_METADATA_DISABLED": "false", "AWS_EC2_METADATA_SERVICE_ENDPOINT": server.URL, "AWS_MAX_ATTEMPTS": "1",
	})
	if err != nil {
		t.Fatal(err)
	}
	got, err := repeated(func() (aws.Credentials, error) { return credentials.source.Retrieve(t.Context()) })
	if err != nil || got.Source != ec2rolecreds.ProviderName {
		t.Fatalf("got one from %q, %v", got.Source, err)
	}
	server.Close()
	if got, err = credentials.source.Retrieve(t.Context()); err == nil {
		t.Errorf("with the giver away: got one that expires at %v, want an error", got.Expires)
	}
}

// TestDefaultChainReadsAnew rotates a profile in its file: it counts from the
// next signature on, though a static credential never ends.
func TestDefaultChainReadsAnew(t *testing.T) {
	profile := func(id string) string {
		return "[default]\naws_access_key_id = " + id + "\naws_secret_access_key = secret\n"
	}
	credentials, err := chain(t, map[string]string{"credentials": profile("AKIAONE")}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"AKIAONE", "AKIATWO", "AKIASIX"} {
		if err := os.WriteFile(os.Getenv("AWS_SHARED_CREDENTIALS_FILE"), []byte(profile(id)), 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := credentials.Retrieve(t.Context()); err != nil || got.AccessKeyID != id {
			t.Errorf("got %q, %v; want %q", got.AccessKeyID, err, id)
		}
	}
}

// TestDefaultChainErrors shows what an operator reads when there is no
// credential, and that no secret is in it.
func TestDefaultChainErrors(t *testing.T) {
	const canary = "canary-secret"
	for _, c := range []struct {
		name      string
		files     map[string]string
		variables map[string]string
		want      string
	}{
		{"nothing anywhere", nil, nil, "EC2 IMDS"},
		{
			"a process that prints no JSON",
			map[string]string{
				"config": "[default]\ncredential_process = /bin/cat DIR/out\n", "out": `{"SecretAccessKey":"` + canary,
			},
			nil, "credential_process failed",
		},
		{
			"a token file that is away", nil,
			map[string]string{
				"AWS_WEB_IDENTITY_TOKEN_FILE": "DIR/jwt", "AWS_ROLE_ARN": "arn:aws:iam::123456789012:role/gateway",
			},
			"no such file",
		},
		{
			"a container's address with a secret in it", nil,
			map[string]string{
				"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://127.0.0.1:1/?token=" + canary, "AWS_MAX_ATTEMPTS": "1",
			},
			"the provider cannot be reached",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			credentials, err := chain(t, c.files, c.variables)
			if err != nil {
				t.Fatal(err)
			}
			_, err = credentials.Retrieve(t.Context())
			if !errors.Is(err, ErrCredentials) || !strings.Contains(err.Error(), c.want) ||
				strings.Contains(err.Error(), canary) {
				t.Errorf("got %v, want ErrCredentials with %q and no secret", err, c.want)
			}
		})
	}
}

func TestDefaultChainSetup(t *testing.T) {
	_, err := chain(t, nil, map[string]string{"AWS_PROFILE": "missing"})
	if err == nil || !strings.Contains(err.Error(), "set up the AWS default credentials") ||
		!strings.Contains(err.Error(), "missing") {
		t.Errorf("got %v, want an error that names the profile", err)
	}
}

// TestReason words the causes that a provider's own text is not repeated for.
func TestReason(t *testing.T) {
	const canary = "canary-secret"
	api := &smithy.GenericAPIError{Code: "SignatureDoesNotMatch", Message: "should have been " + canary}
	for _, c := range []struct {
		cause error
		want  string
	}{
		{errors.New(canary), "no valid credentials: the provider failed"},
		{fmt.Errorf("sts: %w", api), "no valid credentials: the provider refused with SignatureDoesNotMatch"},
		{safeText{fmt.Errorf("sts: %w", api)}, "no valid credentials: the provider refused with SignatureDoesNotMatch"},
		{safeText{errors.New("no file")}, "no valid credentials: no file"},
		{fmt.Errorf(canary+": %w", context.Canceled), "no valid credentials: the request was cancelled"},
		{safeText{context.DeadlineExceeded}, "no valid credentials: the provider did not answer in time"},
	} {
		err := unavailable(c.cause)
		if err.Error() != c.want || !errors.Is(err, c.cause) || !errors.Is(err, ErrCredentials) {
			t.Errorf("got %q, want %q", err, c.want)
		}
		if again := unavailable(err); again.Error() != c.want {
			t.Errorf("said twice: %q", again)
		}
	}
}
