package signer

import (
	"net/http"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
)

// typical is a click on a link: a key of fifty bytes, a file name, a type.
func typical() Request {
	return Request{
		Method: http.MethodGet, Bucket: "reports", Key: "reports/exports/2026/03/quarterly-figures-final.pdf",
		ContentDisposition: `attachment; filename="quarterly-figures-final.pdf"`, ContentType: "application/pdf",
		Lifetime: 30 * time.Second,
	}
}

// providers are those the allocations are counted for.
func providers(tb testing.TB) map[string]aws.CredentialsProvider {
	tb.Helper()
	own, err := NewCredentials(tb.Context(), CredentialOptions{
		AccessKeyID: exampleID,
		Secret:      func() (string, error) { return exampleSecret, nil },
	})
	if err != nil {
		tb.Fatal(err)
	}
	expiring := newCredentials(provide(aws.Credentials{
		AccessKeyID: exampleID, SecretAccessKey: exampleSecret, SessionToken: "token",
		CanExpire: true, Expires: noon().Add(time.Hour),
	}), NewClock(noon))
	return map[string]aws.CredentialsProvider{
		"the SDK's static": exampleProvider(),
		"own static":       own,
		"own expiring":     expiring,
	}
}

// TestPresignAllocations shows that a signature costs no allocation but its
// URL, and that retrieving a cached credential costs none.
func TestPresignAllocations(t *testing.T) {
	for name, provider := range providers(t) {
		s := newSigner(t, func(o *Options) { o.Credentials = provider })
		r := typical()
		ctx := t.Context()
		if n := testing.AllocsPerRun(2000, func() {
			if _, err := s.Presign(ctx, r); err != nil {
				t.Fatal(err)
			}
		}); n > allocationsOfPresign {
			t.Errorf("%s: %v allocations per signature, want %d", name, n, allocationsOfPresign)
		}
		if n := testing.AllocsPerRun(2000, func() {
			if _, err := provider.Retrieve(ctx); err != nil {
				t.Fatal(err)
			}
		}); n > 0 {
			t.Errorf("%s: %v allocations per credential, want none", name, n)
		}
	}
}

func BenchmarkPresign(b *testing.B) {
	for name, provider := range providers(b) {
		s := newSigner(b, func(o *Options) { o.Credentials = provider })
		r := typical()
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := s.Presign(b.Context(), r); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkPresignParallel(b *testing.B) {
	s := newSigner(b, nil)
	r := typical()
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := s.Presign(b.Context(), r); err != nil {
				b.Error(err)
				return
			}
		}
	})
}

// BenchmarkPresignSDK signs the same with the SDK, for comparison.
func BenchmarkPresignSDK(b *testing.B) {
	o := Options{
		Endpoint: "https://storage.example", Region: "us-east-1", PathStyle: true,
		Credentials: credentials.NewStaticCredentialsProvider(exampleID, exampleSecret, ""),
	}
	client := sdkClient(&o, noon())
	r := typical()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := sdkPresign(b.Context(), client, &r, false); err != nil {
			b.Fatal(err)
		}
	}
}
