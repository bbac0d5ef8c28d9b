package signer

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
)

// The access key of AWS's published examples.
const (
	exampleID     = "AKIAIOSFODNN7EXAMPLE"
	exampleSecret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
)

// exampleSignature is that of AWS's example ("Authenticating Requests: Using
// Query Parameters"): GET /test.txt in examplebucket, 24 May 2013, a day.
const exampleSignature = "aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404"

func exampleProvider() aws.CredentialsProvider {
	return credentials.NewStaticCredentialsProvider(exampleID, exampleSecret, "")
}

// providerFunc is a provider that a test writes in place.
type providerFunc func(context.Context) (aws.Credentials, error)

func (f providerFunc) Retrieve(ctx context.Context) (aws.Credentials, error) { return f(ctx) }

func provide(c aws.Credentials) aws.CredentialsProvider {
	return providerFunc(func(context.Context) (aws.Credentials, error) { return c, nil })
}

// newSigner returns a signer for the bucket reports at storage.example, at
// noon, changed by change.
func newSigner(tb testing.TB, change func(*Options)) *Signer {
	tb.Helper()
	o := Options{
		Name:        "main",
		Endpoint:    "https://storage.example",
		Region:      "us-east-1",
		PathStyle:   true,
		Buckets:     []string{"reports"},
		Credentials: exampleProvider(),
		Clock:       NewClock(noon),
	}
	if change != nil {
		change(&o)
	}
	s, err := New(tb.Context(), o)
	if err != nil {
		tb.Fatalf("New: %v", err)
	}
	return s
}

func report() Request {
	return Request{Method: http.MethodGet, Bucket: "reports", Key: "q1.pdf", Lifetime: 30 * time.Second}
}

func presign(tb testing.TB, s *Signer, r Request) (Signed, url.Values) {
	tb.Helper()
	signed, err := s.Presign(tb.Context(), r)
	if err != nil {
		tb.Fatalf("Presign: %v", err)
	}
	u, err := url.Parse(signed.URL)
	if err != nil {
		tb.Fatalf("the URL does not parse: %v", err)
	}
	return signed, u.Query()
}

// TestPublishedVector signs AWS's example, once by the inner function with the
// example's own host and once from the outside: the region aws-global resolves
// to that host.
func TestPublishedVector(t *testing.T) {
	const want = "https://examplebucket.s3.amazonaws.com/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256" +
		"&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request" +
		"&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host" +
		"&X-Amz-Signature=" + exampleSignature
	at := time.Date(2013, 5, 24, 0, 0, 0, 0, time.UTC)

	inner := newTarget(bucketEndpoint{
		scheme: "https", host: "examplebucket.s3.amazonaws.com", path: "/", region: "us-east-1",
	}, false)
	c := aws.Credentials{AccessKeyID: exampleID, SecretAccessKey: exampleSecret}
	if got := inner.sign(&c, &Request{Method: http.MethodGet, Key: "test.txt"}, at, 24*time.Hour); got != want {
		t.Errorf("sign:\n got %s\nwant %s", got, want)
	}

	s := newSigner(t, func(o *Options) {
		o.Endpoint, o.Region, o.PathStyle, o.Buckets = "", "aws-global", false, []string{"examplebucket"}
		o.Clock = NewClock(func() time.Time { return at.Add(backdate) })
	})
	signed, err := s.Presign(t.Context(), Request{
		Method: http.MethodGet, Bucket: "examplebucket", Key: "test.txt", Lifetime: 24*time.Hour - backdate,
	})
	if err != nil || signed.URL != want {
		t.Errorf("Presign: %v\n got %s\nwant %s", err, signed.URL, want)
	}
}

func TestPresignParameters(t *testing.T) {
	s := newSigner(t, func(o *Options) {
		o.RequesterPays = true
		o.Credentials = credentials.NewStaticCredentialsProvider(exampleID, exampleSecret, "to/k+en=")
	})
	signed, query := presign(t, s, Request{
		Method: http.MethodHead, Bucket: "reports", Key: "a b/ü?.pdf", VersionID: "v+1", Lifetime: time.Hour,
		ContentDisposition: `attachment; filename="a b.pdf"`, ContentType: "application/pdf",
	})
	const start = "https://storage.example/reports/a%20b/%C3%BC%3F.pdf?" +
		"X-Amz-Algorithm=AWS4-HMAC-SHA256" +
		"&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20260301%2Fus-east-1%2Fs3%2Faws4_request" +
		"&X-Amz-Date=20260301T115955Z" +
		"&X-Amz-Expires=3605" +
		"&X-Amz-Security-Token=to%2Fk%2Ben%3D" +
		"&X-Amz-SignedHeaders=host" +
		"&response-content-disposition=attachment%3B%20filename%3D%22a%20b.pdf%22" +
		"&response-content-type=application%2Fpdf" +
		"&versionId=v%2B1" +
		"&x-amz-request-payer=requester" +
		"&X-Amz-Signature="
	if !strings.HasPrefix(signed.URL, start) || len(signed.URL) != len(start)+64 {
		t.Errorf("\n got %s\nwant %s and 64 digits", signed.URL, start)
	}
	if len(query) != 11 {
		t.Errorf("%d parameters, want 11: %v", len(query), query)
	}
}

// TestPresignMethod shows that a URL for one method is none for the other.
func TestPresignMethod(t *testing.T) {
	s := newSigner(t, nil)
	get, _ := presign(t, s, report())
	r := report()
	r.Method = http.MethodHead
	head, _ := presign(t, s, r)
	before := func(u string) string { return u[:strings.Index(u, "&X-Amz-Signature=")] }
	if get.URL == head.URL || before(get.URL) != before(head.URL) {
		t.Errorf("GET and HEAD must differ in the signature alone:\n%s\n%s", get.URL, head.URL)
	}
}

func TestPresignRefuses(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*Request)
		want   error
	}{
		{"no method", func(r *Request) { r.Method = "" }, ErrRequest},
		{"PUT", func(r *Request) { r.Method = http.MethodPut }, ErrRequest},
		{"lower case", func(r *Request) { r.Method = "get" }, ErrRequest},
		{"no bucket", func(r *Request) { r.Bucket = "" }, ErrRequest},
		{"unlisted bucket", func(r *Request) { r.Bucket = "salaries" }, ErrRequest},
		{"bucket in upper case", func(r *Request) { r.Bucket = "Reports" }, ErrRequest},
		{"bucket with a path", func(r *Request) { r.Bucket = "reports/../salaries" }, ErrRequest},
		{"a host for a bucket", func(r *Request) { r.Bucket = "evil.example/" }, ErrRequest},
		{"no key", func(r *Request) { r.Key = "" }, ErrRequest},
		{"a key of 1025 bytes", func(r *Request) { r.Key = strings.Repeat("k", 1025) }, ErrRequest},
		{"NUL in the key", func(r *Request) { r.Key = "a\x00b" }, ErrRequest},
		{"dot segment", func(r *Request) { r.Key = "a/./b" }, ErrRequest},
		{"dots segment", func(r *Request) { r.Key = "../salaries/q1.pdf" }, ErrRequest},
		{"dots alone", func(r *Request) { r.Key = ".." }, ErrRequest},
		{"CRLF in the disposition", func(r *Request) { r.ContentDisposition = "inline\r\nSet-Cookie: x" }, ErrRequest},
		{"CRLF in the type", func(r *Request) { r.ContentType = "text/plain\r\n" }, ErrRequest},
		{"NUL in the version", func(r *Request) { r.VersionID = "\x00" }, ErrRequest},
		{"lifetime over seven days", func(r *Request) { r.Lifetime = maxExpires - backdate + 1 }, ErrRequest},
		{"lifetime of eight days", func(r *Request) { r.Lifetime = 8 * 24 * time.Hour }, ErrRequest},
		{"no lifetime", func(r *Request) { r.Lifetime = 0 }, ErrLifetime},
		{"half a second", func(r *Request) { r.Lifetime = 500 * time.Millisecond }, ErrLifetime},
		{"just under a second", func(r *Request) { r.Lifetime = time.Second - 1 }, ErrLifetime},
		{"negative lifetime", func(r *Request) { r.Lifetime = -time.Hour }, ErrLifetime},
	} {
		t.Run(c.name, func(t *testing.T) {
			asked := false
			s := newSigner(t, func(o *Options) {
				o.Credentials = providerFunc(func(context.Context) (aws.Credentials, error) {
					asked = true
					return aws.Credentials{AccessKeyID: exampleID, SecretAccessKey: exampleSecret}, nil
				})
			})
			r := report()
			c.change(&r)
			signed, err := s.Presign(t.Context(), r)
			if !errors.Is(err, c.want) || signed != (Signed{}) {
				t.Fatalf("got %v, %v; want error %v", signed, err, c.want)
			}
			if asked {
				t.Error("a credential was asked for")
			}
			if !strings.Contains(err.Error(), `storage "main"`) ||
				r.Key != "" && strings.Contains(err.Error(), r.Key) && len(r.Key) > 2 {
				t.Errorf("error must name the storage and not the key: %v", err)
			}
		})
	}
}

// TestPresignRotation changes one part of the credential at a time and
// compares with a signer that never knew the old one.
func TestPresignRotation(t *testing.T) {
	var current aws.Credentials
	s := newSigner(t, func(o *Options) {
		o.Credentials = providerFunc(func(context.Context) (aws.Credentials, error) { return current, nil })
	})
	seen := map[string]bool{}
	for _, c := range []aws.Credentials{
		{AccessKeyID: "AKIDONE", SecretAccessKey: "one"},
		{AccessKeyID: "AKIDONE", SecretAccessKey: "two"},
		{AccessKeyID: "AKIDTWO", SecretAccessKey: "two"},
		{AccessKeyID: "AKIDTWO", SecretAccessKey: "two", SessionToken: "a"},
		{AccessKeyID: "AKIDTWO", SecretAccessKey: "two", SessionToken: "b"},
		{AccessKeyID: "AKIDTWO", SecretAccessKey: "three", SessionToken: "b"},
	} {
		current = c
		got, _ := presign(t, s, report())
		want, _ := presign(t, newSigner(t, func(o *Options) { o.Credentials = provide(c) }), report())
		if got.URL != want.URL {
			t.Errorf("after a rotation to %s:\n got %s\nwant %s", c.AccessKeyID, got.URL, want.URL)
		}
		if seen[got.URL] {
			t.Errorf("a rotation changed nothing: %s", got.URL)
		}
		seen[got.URL] = true
	}
}

// TestPresignConcurrently signs with credentials that rotate, for two buckets,
// and compares every URL with the one a lone signer gives.
func TestPresignConcurrently(t *testing.T) {
	secrets := []string{"one", "two", "three"}
	buckets := []string{"reports", "exports"}
	var turn sync.Mutex
	n := 0
	s := newSigner(t, func(o *Options) {
		o.Buckets = buckets
		o.Credentials = providerFunc(func(context.Context) (aws.Credentials, error) {
			turn.Lock()
			defer turn.Unlock()
			n++
			return aws.Credentials{AccessKeyID: "AKID", SecretAccessKey: secrets[n/7%len(secrets)]}, nil
		})
	})
	request := func(i int) Request {
		return Request{
			Method: http.MethodGet, Bucket: buckets[i%len(buckets)], Key: "k" + strconv.Itoa(i%50), Lifetime: time.Minute,
		}
	}
	valid := map[string]bool{}
	for _, secret := range secrets {
		lone := newSigner(t, func(o *Options) {
			o.Buckets = buckets
			o.Credentials = credentials.NewStaticCredentialsProvider("AKID", secret, "")
		})
		for i := range 50 {
			signed, _ := presign(t, lone, request(i))
			valid[signed.URL] = true
		}
	}

	var wait sync.WaitGroup
	for range 8 {
		wait.Go(func() {
			for i := range 500 {
				signed, err := s.Presign(t.Context(), request(i))
				if err != nil || !valid[signed.URL] {
					t.Errorf("not what a lone signer gives: %v %s", err, signed.URL)
					return
				}
			}
		})
	}
	wait.Wait()
}

// TestPresignCredentialErrors tells every trouble with a credential as one
// error without a word of what the provider said.
func TestPresignCredentialErrors(t *testing.T) {
	const canary = "canary-secret"
	cause := errors.New("the secret is " + canary)
	for _, c := range []struct {
		name     string
		provider providerFunc
		is       error
	}{
		{"the provider fails", func(context.Context) (aws.Credentials, error) { return aws.Credentials{}, cause }, cause},
		{"no secret", func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: exampleID, SessionToken: canary}, nil
		}, ErrCredentials},
		{"no id", func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{SecretAccessKey: canary}, nil
		}, ErrCredentials},
		{"nothing", func(context.Context) (aws.Credentials, error) { return aws.Credentials{}, nil }, ErrCredentials},
		{"expired", func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: exampleID, SecretAccessKey: canary, CanExpire: true, Expires: noon()}, nil
		}, ErrCredentials},
		{"expires at no time", func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: exampleID, SecretAccessKey: canary, CanExpire: true}, nil
		}, ErrCredentials},
		{
			"the request ends", func(ctx context.Context) (aws.Credentials, error) { return aws.Credentials{}, ctx.Err() },
			context.Canceled,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			signed, err := newSigner(t, func(o *Options) { o.Credentials = c.provider }).Presign(ctx, report())
			if !errors.Is(err, ErrCredentials) || !errors.Is(err, c.is) || signed != (Signed{}) {
				t.Fatalf("got %v, %v; want ErrCredentials and %v", signed, err, c.is)
			}
			if errors.Is(err, ErrRequest) || errors.Is(err, ErrLifetime) {
				t.Errorf("%v is another error too", err)
			}
			if strings.Contains(err.Error(), canary) || !strings.Contains(err.Error(), `storage "main"`) {
				t.Errorf("error must name the storage and hold no secret: %v", err)
			}
		})
	}
}

func TestNewRefuses(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*Options)
		want   string
	}{
		{"no credentials", func(o *Options) { o.Credentials = nil }, "no credentials provider"},
		{"no buckets", func(o *Options) { o.Buckets = nil }, "no buckets"},
		{"a bad endpoint", func(o *Options) { o.Endpoint = "ftp://storage.example" }, "endpoint"},
		{"a bad bucket among good ones", func(o *Options) { o.Buckets = []string{"reports", "x--x-s3"} }, `bucket "x--x-s3"`},
		{"no region", func(o *Options) { o.Region = "" }, "region"},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := Options{
				Name: "main", Endpoint: "https://storage.example", Region: "us-east-1", PathStyle: true,
				Buckets: []string{"reports"}, Credentials: exampleProvider(),
			}
			c.change(&o)
			s, err := New(t.Context(), o)
			if s != nil || err == nil || !strings.Contains(err.Error(), c.want) ||
				!strings.Contains(err.Error(), `storage "main"`) {
				t.Errorf("got %v, want an error that names the storage and %s", err, c.want)
			}
		})
	}
}

// TestNewWithoutClock signs by this machine's clock.
func TestNewWithoutClock(t *testing.T) {
	_, query := presign(t, newSigner(t, func(o *Options) { o.Clock = nil }), report())
	dated, err := time.Parse("20060102T150405Z", query.Get("X-Amz-Date"))
	if err != nil || time.Since(dated.Add(backdate)).Abs() > time.Minute {
		t.Errorf("dated %v, %v", dated, err)
	}
}
