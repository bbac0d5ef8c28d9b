package objects

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"keyhole/gateway"
	"keyhole/signer"
)

func TestProve(t *testing.T) {
	t.Parallel()
	there := said{status: 200, length: "3"}
	byte1 := said{status: 206, body: "a"}
	tests := []struct {
		name      string
		head, get said
		want      error
		told      []string
	}{
		{"readable", there, byte1, nil, []string{"head_object ok", "get_object ok"}},
		{"empty", said{status: 200, length: "0"}, said{status: 200}, nil, []string{"head_object ok", "get_object ok"}},
		{
			"a storage that ignores Range", there,
			said{status: 200, body: "abc"},
			nil,
			[]string{"head_object ok", "get_object ok"},
		},
		{"missing", said{status: 404}, byte1, gateway.ErrObjectNotFound, []string{"head_object not_found"}},
		{
			"missing, and may not list",
			said{status: 403},
			said{status: 403, code: "AccessDenied"},
			gateway.ErrObjectNotReadable,
			[]string{"head_object denied", "get_object denied"},
		},
		{
			"may ask and not read", there,
			said{status: 403, code: "AccessDenied"},
			gateway.ErrObjectNotReadable,
			[]string{"head_object ok", "get_object denied", "get_object denied"},
		},
		{
			"may read and not ask",
			said{status: 403},
			byte1, gateway.ErrObjectNotReadable,
			[]string{"head_object denied", "get_object ok"},
		},
		{
			"a bad signature",
			said{status: 403},
			said{status: 403, code: "SignatureDoesNotMatch"},
			gateway.ErrObjectNotReadable,
			[]string{"head_object denied", "get_object denied"},
		},
		{
			"gone in between", there,
			said{status: 404, code: "NoSuchKey"},
			gateway.ErrObjectNotFound,
			[]string{"head_object ok", "get_object not_found"},
		},
		{
			"archived", there,
			said{status: 403, code: "InvalidObjectState"},
			gateway.ErrObjectArchived,
			[]string{"head_object ok", "get_object denied"},
		},
		{
			"under a customer's key",
			said{status: 400},
			said{status: 400, code: "InvalidRequest"},
			gateway.ErrObjectEncrypted,
			[]string{"head_object error", "get_object denied"},
		},
		{
			"under a key of KMS that refuses",
			said{status: 200, length: "3", kms: true},
			said{status: 403, code: "AccessDenied"},
			gateway.ErrObjectKMS,
			[]string{"head_object ok", "get_object denied", "get_object denied"},
		},
		{
			"under a key of KMS that is disabled", there,
			said{status: 400, code: "KMS.DisabledException"},
			gateway.ErrObjectKMS,
			[]string{"head_object ok", "get_object denied"},
		},
		{
			"under a key of KMS",
			said{status: 200, length: "3", kms: true},
			byte1, nil,
			[]string{"head_object ok", "get_object ok"},
		},
		{"a delete marker", said{status: 405}, byte1, gateway.ErrObjectNotFound, []string{"head_object not_found"}},
		{
			"another bad request",
			said{status: 400},
			said{status: 400, code: "AuthorizationHeaderMalformed"},
			gateway.ErrObjectNotReadable,
			[]string{"head_object error", "get_object error"},
		},
		{"broken", said{status: 500}, byte1, gateway.ErrUnavailable, []string{"head_object error"}},
		{
			"busy", there,
			said{status: 503, code: "SlowDown"},
			gateway.ErrUnavailable,
			[]string{"head_object ok", "get_object error"},
		},
		{
			"a body cut short", there,
			said{status: 206, length: "1"},
			gateway.ErrUnavailable,
			[]string{"head_object ok", "get_object error"},
		},
		{"in another region", said{status: 301}, byte1, gateway.ErrUnavailable, []string{"head_object error"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			server := &scripted{head: tt.head, get: tt.get}
			storage, seen := storageAt(serve(t, server), nil)
			info, err := storage.Prove(t.Context(), "reports", "2026/q3.pdf", "")
			if !errors.Is(err, tt.want) || tt.want == nil && err != nil {
				t.Errorf("got %v, want %v", err, tt.want)
			}
			if !slices.Equal(seen.told, tt.told) {
				t.Errorf("observed %v, want %v", seen.told, tt.told)
			}
			if err != nil {
				if info != (gateway.ObjectInfo{}) {
					t.Errorf("beside the error it says %+v", info)
				}
				for _, other := range []error{
					gateway.ErrObjectNotFound, gateway.ErrObjectArchived, gateway.ErrObjectEncrypted, gateway.ErrObjectKMS,
					gateway.ErrUnavailable,
				} {
					if !errors.Is(other, tt.want) && errors.Is(err, other) {
						t.Errorf("%v is %v too", err, other)
					}
				}
				if strings.Contains(err.Error(), "secret-canary") || strings.Contains(err.Error(), "Signature=") {
					t.Errorf("a secret is in %v", err)
				}
				return
			}
			want := gateway.ObjectInfo{
				Size: info.Size, ETag: `"abc"`, VersionID: "v1", ContentType: "text/plain",
				LastModified: time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC),
			}
			if info != want || fmt.Sprint(info.Size) != tt.head.length {
				t.Errorf("got %+v", info)
			}
		})
	}
}

func TestProveAsksForOneByte(t *testing.T) {
	t.Parallel()
	full := &scripted{head: said{status: 200, length: "3"}, get: said{status: 206, body: "a"}}
	empty := &scripted{head: said{status: 200, length: "0"}, get: said{status: 200}}
	for _, tt := range []struct {
		server *scripted
		want   []string
	}{{full, []string{"HEAD", "GET bytes=0-0"}}, {empty, []string{"HEAD", "GET"}}} {
		storage, _ := storageAt(serve(t, tt.server), nil)
		if _, err := storage.Prove(t.Context(), "reports", "a", ""); err != nil {
			t.Fatal(err)
		}
		if got := tt.server.asked(); !slices.Equal(got, tt.want) {
			t.Errorf("asked %v, want %v", got, tt.want)
		}
	}
}

// The request has the same bytes as the key of the object.
func TestProveTakesKeysLiterally(t *testing.T) {
	t.Parallel()
	for key, want := range map[string]string{
		"a/b": "/reports/a/b", "a//b": "/reports/a//b", "/lead": "/reports//lead", "dir/": "/reports/dir/",
		"%2e%2e/x": "/reports/%252e%252e/x", "a b+c?d#e&f": "/reports/a%20b%2Bc%3Fd%23e%26f",
		"é📄": "/reports/%C3%A9%F0%9F%93%84",
	} {
		server := &scripted{head: said{status: 200, length: "3"}, get: said{status: 206, body: "a"}}
		storage, _ := storageAt(serve(t, server), func(o *Options) { o.RequesterPays = true })
		if _, err := storage.Prove(t.Context(), "reports", key, ""); err != nil {
			t.Errorf("%q: %v", key, err)
		}
		for _, r := range server.requests {
			path, _, _ := strings.Cut(r.RequestURI, "?")
			if path != want || r.Header.Get("X-Amz-Request-Payer") != "requester" {
				t.Errorf("%q: %s asked for %q, payer %q", key, r.Method, path, r.Header.Get("X-Amz-Request-Payer"))
			}
		}
	}
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	t.Parallel()
	other := &scripted{head: said{status: 200, length: "3"}, get: said{status: 206, body: "a"}}
	elsewhere := serve(t, other)
	for _, status := range []int{301, 302, 303, 307, 308} {
		here := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Location", elsewhere+r.RequestURI)
			w.WriteHeader(status)
		}))
		storage, _ := storageAt(here, nil)
		if _, err := storage.Prove(t.Context(), "reports", "a", ""); !errors.Is(err, gateway.ErrUnavailable) {
			t.Errorf("%d: got %v", status, err)
		}
		if err := storage.Check(t.Context()); err == nil || storage.Health() != HealthUnavailable {
			t.Errorf("%d: %v, health %s", status, err, storage.Health())
		}
	}
	if got := other.asked(); len(got) != 0 {
		t.Errorf("a signed request went to another host: %v", got)
	}
}

func TestTimeoutBoundsTheWholeQuestion(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-release:
		case <-r.Context().Done():
		}
	}))
	t.Cleanup(server.Close)
	t.Cleanup(func() { close(release) })
	var storage *Storage
	var took time.Duration
	for range 5 { // A slow machine can take longer, but not each time.
		var seen *observations
		storage, seen = storageAt(server.URL, func(o *Options) { o.Timeout = 50 * time.Millisecond })
		begun := time.Now()
		_, err := storage.Prove(t.Context(), "reports", "a", "")
		took = time.Since(begun)
		if !errors.Is(err, gateway.ErrUnavailable) || !slices.Equal(seen.told, []string{"head_object timeout"}) {
			t.Errorf("got %v, observed %v", err, seen.told)
		}
		if took <= 2*time.Second {
			break
		}
	}
	if took > 2*time.Second {
		t.Errorf("it took %s", took)
	}
	if storage.Health() != HealthUnavailable {
		t.Errorf("after a request without an answer: %s", storage.Health())
	}
	if err := storage.Check(t.Context()); !errors.Is(err, gateway.ErrUnavailable) ||
		storage.Health() != HealthUnavailable {
		t.Errorf("%v, health %s", err, storage.Health())
	}
}

// A storage refuses requests that are signed with a very different time. The Date of its
// refusal corrects the time of the next request.
func TestStorageWithAnotherTime(t *testing.T) {
	t.Parallel()
	for _, off := range []time.Duration{0, 20 * time.Minute, -20 * time.Minute, 23 * time.Hour} {
		server := &scripted{head: said{status: 200, length: "3"}, get: said{status: 206, body: "a"}}
		endpoint := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			now := time.Now().Add(off)
			w.Header().Set("Date", now.UTC().Format(http.TimeFormat))
			signed, err := time.Parse("20060102T150405Z", r.Header.Get("X-Amz-Date"))
			if err != nil || now.Sub(signed).Abs() > time.Minute {
				w.WriteHeader(http.StatusForbidden)
				return
			}
			server.ServeHTTP(w, r)
		}))
		clock := signer.NewClock(nil)
		storage, seen := storageAt(endpoint, func(o *Options) { o.Clock = clock })
		var begun time.Time
		for range 2 {
			begun = time.Now()
			if info, err := storage.Prove(t.Context(), "reports", "a", ""); err != nil || info.Size != 3 {
				t.Errorf("%s off: got %+v, %v", off, info, err)
			}
		}
		took := time.Since(begun)
		if want := []string{
			"head_object ok", "get_object ok", "head_object ok", "get_object ok",
		}; !slices.Equal(seen.told, want) {
			t.Errorf("%s off: observed %v, want %v", off, seen.told, want)
		}
		// The clock takes the middle of an exchange for the time of its answer.
		if skew, known := clock.Skew(); !known || (skew-off).Abs() > time.Second+took/2 {
			t.Errorf("%s off: the clock says %s, %v", off, skew, known)
		}
	}
}

// A refused request is not repeated if the time of the storage is known.
func TestRefusalIsNotRetried(t *testing.T) {
	t.Parallel()
	server := &scripted{head: said{status: 403}, get: said{status: 403, code: "AccessDenied"}}
	storage, _ := storageAt(serve(t, server), nil)
	if _, err := storage.Stat(t.Context(), "reports", "a", ""); !errors.Is(err, gateway.ErrObjectNotReadable) {
		t.Errorf("got %v", err)
	}
	if got := server.asked(); len(got) != 1 {
		t.Errorf("asked %v", got)
	}
}

// The error of the read shows that an object is empty, which a HEAD without a length does
// not. A version ID in an invalid form is a version that does not exist.
func TestProveByTheErrorOfTheRead(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, code, version string
		want                error
		asked               []string
	}{
		{
			"empty, and may not ask", "InvalidRange", "", gateway.ErrObjectNotReadable, []string{"HEAD", "GET bytes=0-0", "GET"},
		},
		{"no version", "InvalidArgument", "v1", gateway.ErrObjectNotFound, []string{"HEAD", "GET bytes=0-0"}},
		{"no such version", "NoSuchVersion", "v1", gateway.ErrObjectNotFound, []string{"HEAD", "GET bytes=0-0"}},
		{
			"a bad argument without a version", "InvalidArgument", "", gateway.ErrObjectNotReadable,
			[]string{"HEAD", "GET bytes=0-0"},
		},
	} {
		server := &scripted{head: said{status: 400}}
		storage, _ := storageAt(serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Query().Get("versionId") != tt.version {
				t.Errorf("%s: asked for the version %q", tt.name, r.URL.Query().Get("versionId"))
			}
			server.get = said{status: 400, code: tt.code}
			switch {
			case tt.code == "InvalidRange" && r.Header.Get("Range") == "":
				server.get = said{status: 200}
			case tt.code == "InvalidRange":
				server.get.status = 416
			case tt.code == "NoSuchVersion":
				server.get.status = 404
			}
			server.ServeHTTP(w, r)
		})), nil)
		if _, err := storage.Prove(t.Context(), "reports", "a", tt.version); !errors.Is(err, tt.want) {
			t.Errorf("%s: got %v", tt.name, err)
		}
		if got := server.asked(); !slices.Equal(got, tt.asked) {
			t.Errorf("%s: asked %v, want %v", tt.name, got, tt.asked)
		}
	}
}
