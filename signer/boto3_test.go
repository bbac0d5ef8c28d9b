package signer

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os/exec"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/credentials"
)

// python is Debian's, which has Debian's python3-boto3.
const python = "/usr/bin/python3"

// boto3Case is one URL as testdata/presign.py takes it.
type boto3Case struct {
	Style       string `json:"style"` // path or virtual
	Region      string `json:"region"`
	Endpoint    string `json:"endpoint"`
	KeyID       string `json:"key_id"`
	Secret      string `json:"secret"`
	Token       string `json:"token"`
	Bucket      string `json:"bucket"`
	Key         string `json:"key"`
	Version     string `json:"version"`
	Disposition string `json:"disposition"`
	Type        string `json:"type"`
	Method      string `json:"method"`
	Expires     int    `json:"expires"` // seconds
}

// TestBoto3Agrees compares 1,000 URLs for random keys with those of an
// independent signer in another language.
func TestBoto3Agrees(t *testing.T) {
	t.Parallel()
	if out, err := exec.Command(python, "-c", "import boto3").CombinedOutput(); err != nil {
		t.Fatalf("%s has no boto3 (%v: %s): run deploy/test, which installs it", python, err, out)
	}
	random := rand.New(rand.NewPCG(4, 1000)) // the same keys at each run
	var input bytes.Buffer
	var cases []boto3Case
	for range 1000 {
		c := boto3Case{
			Style: []string{"path", "virtual"}[random.IntN(2)], Region: "eu-central-1", Endpoint: "https://storage.example:8443",
			KeyID: "AKIDEXAMPLE", Secret: exampleSecret, Token: "to+k/en==", Bucket: "reports",
			Key: randomKey(random), Method: []string{
				http.MethodGet, http.MethodHead,
			}[random.IntN(2)], Expires: 10 + random.IntN(300),
		}
		if random.IntN(2) == 0 {
			c.Version = "v+1/" + randomKey(random)
		}
		if c.Method == http.MethodGet && random.IntN(2) == 0 {
			c.Disposition, c.Type = `attachment; filename="`+randomKey(random)+`"`, "text/plain; charset=utf-8"
		}
		cases = append(cases, c)
		if err := json.NewEncoder(&input).Encode(c); err != nil { //nolint:gosec // An example of AWS' documents.
			t.Fatal(err)
		}
	}
	command := exec.CommandContext(t.Context(), python, "testdata/presign.py")
	command.Stdin = &input
	var complaints bytes.Buffer
	command.Stderr = &complaints
	output, err := command.Output()
	if err != nil {
		t.Fatalf("presign.py: %v\n%s", err, &complaints)
	}
	urls := strings.Split(strings.TrimSpace(string(output)), "\n")
	if len(urls) != len(cases) {
		t.Fatalf("%d URLs for %d keys", len(urls), len(cases))
	}
	for i, c := range cases {
		want, err := url.Parse(urls[i])
		if err != nil {
			t.Fatalf("%q: boto3's URL does not parse: %v", c.Key, err)
		}
		signedAt, err := time.Parse("20060102T150405Z", want.Query().Get("X-Amz-Date"))
		if err != nil {
			t.Fatalf("%q: %v", c.Key, err)
		}
		s, err := New(t.Context(), Options{
			Name: "main", Endpoint: c.Endpoint, Region: c.Region, PathStyle: c.Style == "path", Buckets: []string{c.Bucket},
			Credentials: credentials.NewStaticCredentialsProvider(c.KeyID, c.Secret, c.Token),
			Clock:       NewClock(func() time.Time { return signedAt.Add(backdate) }),
		})
		if err != nil {
			t.Fatal(err)
		}
		signed, err := s.Presign(t.Context(), Request{
			Method: c.Method, Bucket: c.Bucket, Key: c.Key, VersionID: c.Version, ContentDisposition: c.Disposition,
			ContentType: c.Type,
			Lifetime:    time.Duration(c.Expires)*time.Second - backdate,
		})
		if err != nil {
			t.Fatalf("%q: %v", c.Key, err)
		}
		got, err := url.Parse(signed.URL)
		if err != nil {
			t.Fatalf("%q: %v", c.Key, err)
		}
		// boto3 orders its parameters otherwise; the signature covers them sorted.
		if got.Scheme != want.Scheme || got.Host != want.Host || got.EscapedPath() != want.EscapedPath() ||
			!reflect.DeepEqual(got.Query(), want.Query()) {
			t.Errorf("%q %s:\ngot   %s\nboto3 %s", c.Key, c.Method, signed.URL, urls[i])
		}
	}
}

// randomKey returns a key of everything that percent-encoding can trip over.
func randomKey(random *rand.Rand) string {
	const odd = " !\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~%2F%2e+é\u0301ü日本📄\u2028\u200fabcABC019"
	runes := []rune(odd)
	var key strings.Builder
	for range 1 + random.IntN(40) {
		key.WriteRune(runes[random.IntN(len(runes))])
	}
	if hasDotSegment(key.String()) {
		return randomKey(random)
	}
	return key.String()
}
