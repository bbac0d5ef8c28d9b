package objects

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"keyhole/gateway"
	"keyhole/gateway/objects/s3test"
)

func TestRealStorage(t *testing.T) {
	t.Parallel()
	server := s3test.Start(t, "reports", "versions")
	server.AddUser(t)
	endpoint := server.Endpoint()
	put := func(bucket, key, content string) *s3.PutObjectOutput {
		return server.Put(t, bucket, key, "text/csv", []byte(content))
	}
	server.KeepVersions(t, "versions", true)
	as := func(key, secret string) func(*Options) {
		return func(o *Options) { o.Credentials = credentials.NewStaticCredentialsProvider(key, secret, "") }
	}
	service, _ := storageAt(endpoint, as(s3test.RootKey, s3test.RootSecret))

	t.Run("what is there", func(t *testing.T) {
		for key, content := range map[string]string{
			"q3.csv": "a,b\n", "empty": "", "dir/": "", "sp ace+%20?#&;'": "x", "emoji 📄": "x", "a%2Fb": "x", "2026/q3.csv": "y",
		} {
			stored := put("reports", key, content)
			info, err := service.Prove(t.Context(), "reports", key, "")
			if err != nil || info.Size != int64(len(content)) || info.ETag != aws.ToString(stored.ETag) || info.ETag == "" ||
				info.VersionID != "" {
				t.Errorf("%q: got %+v, %v", key, info, err)
			}
			if age := time.Since(info.LastModified); age < -time.Minute || age > time.Minute {
				t.Errorf("%q: modified %s ago", key, age)
			}
		}
		if info, err := service.Prove(t.Context(), "reports", "q3.csv", ""); err != nil || info.ContentType != "text/csv" {
			t.Errorf("got %+v, %v", info, err)
		}
	})

	t.Run("what is not", func(t *testing.T) {
		put("reports", "folder/file", "x")
		for _, ref := range [][2]string{
			{"reports", "missing"},
			{"reports", "folder"},
			{"reports", "folder/"},
			{"reports", "q3.csv/x"},
			{"nowhere", "q3.csv"},
		} {
			if _, err := service.Prove(t.Context(), ref[0], ref[1], ""); !errors.Is(err, gateway.ErrObjectNotFound) {
				t.Errorf("%v: got %v", ref, err)
			}
		}
	})

	t.Run("versions", func(t *testing.T) {
		put("versions", "a", "one")
		second := put("versions", "a", "second")
		info, err := service.Prove(t.Context(), "versions", "a", "")
		if err != nil || info.VersionID == "" || info.VersionID != aws.ToString(second.VersionId) || info.Size != 6 {
			t.Errorf("got %+v, %v; want version %s", info, err, aws.ToString(second.VersionId))
		}
		server.Delete(t, "versions", "a", "")
		if _, err := service.Prove(t.Context(), "versions", "a", ""); !errors.Is(err, gateway.ErrObjectNotFound) {
			t.Errorf("deleted: got %v", err)
		}
	})

	t.Run("what may not be read", func(t *testing.T) {
		put("reports", "secret", "x")
		put("reports", "shared/a", "x")
		policy := fmt.Sprintf(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":[%q]},
			"Action":["s3:GetObject"],"Resource":["arn:aws:s3:::reports/shared/*"]}]}`, s3test.UserKey)
		server.SetPolicy(t, "reports", policy)
		user, _ := storageAt(endpoint, as(s3test.UserKey, s3test.UserSecret))
		if _, err := user.Prove(t.Context(), "reports", "shared/a", ""); err != nil {
			t.Errorf("shared: %v", err)
		}
		wrong, _ := storageAt(endpoint, as(s3test.RootKey, "wrong"))
		unknown, _ := storageAt(endpoint, as("NOBODY", "wrong"))
		for name, storage := range map[string]*Storage{"no permission": user, "wrong secret": wrong, "unknown key": unknown} {
			if _, err := storage.Prove(t.Context(), "reports", "secret", ""); !errors.Is(err, gateway.ErrObjectNotReadable) {
				t.Errorf("%s: got %v", name, err)
			}
		}
	})

	t.Run("a secret that is rotated under its ID", func(t *testing.T) {
		put("reports", "rotated", "x")
		var secret string
		rotated, _ := storageAt(endpoint, func(o *Options) {
			o.Credentials = aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
				return aws.Credentials{AccessKeyID: s3test.RootKey, SecretAccessKey: secret}, nil
			})
		})
		for _, tt := range []struct {
			secret string
			want   error
		}{{"old", gateway.ErrObjectNotReadable}, {s3test.RootSecret, nil}, {"next", gateway.ErrObjectNotReadable}} {
			secret = tt.secret
			if _, err := rotated.Prove(t.Context(), "reports", "rotated", ""); !errors.Is(err, tt.want) {
				t.Errorf("with the secret %s: got %v, want %v", tt.secret, err, tt.want)
			}
		}
	})

	t.Run("health", func(t *testing.T) {
		for name, tt := range map[string]struct {
			change func(*Options)
			want   Health
		}{
			"there":        {as(s3test.RootKey, s3test.RootSecret), HealthOK},
			"may not list": {as(s3test.UserKey, s3test.UserSecret), HealthDenied},
			"not a bucket": {
				func(o *Options) { as(s3test.RootKey, s3test.RootSecret)(o); o.Buckets = []string{"nowhere"} }, HealthMissing,
			},
			"one of several gone": {func(o *Options) {
				as(s3test.RootKey, s3test.RootSecret)(o)
				o.Buckets = []string{"versions", "nowhere"}
			}, HealthMissing},
			"wrong secret": {as(s3test.RootKey, "wrong"), HealthDenied},
			"wrong region": {
				func(o *Options) { as(s3test.RootKey, s3test.RootSecret)(o); o.Region = "eu-west-1" }, HealthRegion,
			},
		} {
			storage, _ := storageAt(endpoint, tt.change)
			if err := storage.Check(t.Context()); (err == nil) != (tt.want == HealthOK) || storage.Health() != tt.want {
				t.Errorf("%s: %v, health %s; want %s", name, err, storage.Health(), tt.want)
			}
		}
	})
}
