package objects

import (
	"io"
	"net/http"
	"strings"
	"testing"
)

func TestCheckAndHealth(t *testing.T) {
	t.Parallel()
	server := &scripted{}
	storage, seen := storageAt(serve(t, server), nil)
	if storage.Health() != HealthUnknown {
		t.Errorf("before the first check: %s", storage.Health())
	}
	// Each check replaces the result of the previous one.
	for _, tt := range []struct {
		status int
		health Health
		told   string
	}{
		{200, HealthOK, "ok"},
		{404, HealthMissing, "not_found"},
		{403, HealthDenied, "denied"},
		{500, HealthUnavailable, "error"},
		{200, HealthOK, "ok"},
	} {
		server.head = said{status: tt.status}
		if err := storage.Check(t.Context()); (err == nil) != (tt.health == HealthOK) || storage.Health() != tt.health {
			t.Errorf("%d: %v, health %s; want %s", tt.status, err, storage.Health(), tt.health)
		}
		if last := seen.told[len(seen.told)-1]; last != "head_bucket "+tt.told {
			t.Errorf("%d: observed %s", tt.status, last)
		}
	}
	if path := server.requests[0].URL.Path; strings.Trim(path, "/") != "reports" {
		t.Errorf("asked for %q", path)
	}
}

// The error names the region of the bucket, in whatever form the storage reports it.
func TestWrongRegion(t *testing.T) {
	t.Parallel()
	malformed := `<Error><Code>AuthorizationHeaderMalformed</Code>` +
		`<Message>The authorization header is malformed; the region 'us-east-1' is wrong; ` +
		`expecting 'eu-west-1'</Message></Error>`
	for name, tt := range map[string]struct {
		status int
		header string
		body   string // of a listing
		want   Health
	}{
		"AWS, by a header":             {301, "eu-west-1", "", HealthRegion},
		"AWS, of a bucket of others":   {403, "eu-west-1", "", HealthRegion},
		"AWS, by the error":            {400, "", malformed, HealthRegion},
		"others, in other quotes":      {400, "", strings.ReplaceAll(malformed, "'", `"`), HealthRegion},
		"refused in the right region":  {403, "us-east-1", "", HealthDenied},
		"the right region is expected": {400, "", strings.ReplaceAll(malformed, "eu-west-1", "us-east-1"), HealthDenied},
		"another bad request":          {400, "", "<Error><Code>Other</Code></Error>", HealthDenied},
		"a redirect elsewhere":         {301, "", "<Error><Code>PermanentRedirect</Code></Error>", HealthUnavailable},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			storage, _ := storageAt(serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if tt.header != "" {
					w.Header().Set("X-Amz-Bucket-Region", tt.header)
				}
				w.WriteHeader(tt.status)
				if r.Method == http.MethodGet {
					_, _ = io.WriteString(w, tt.body) // the client may have hung up
				}
			})), nil)
			err := storage.Check(t.Context())
			if err == nil || storage.Health() != tt.want {
				t.Fatalf("%v, health %s; want %s", err, storage.Health(), tt.want)
			}
			if named := strings.Contains(err.Error(), "bucket reports: it is in the region eu-west-1, but storage[].region is "+
				"us-east-1"); named != (tt.want == HealthRegion) {
				t.Errorf("got %v", err)
			}
		})
	}
}
