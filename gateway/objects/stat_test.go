package objects

import (
	"errors"
	"slices"
	"testing"
	"time"

	"keyhole/gateway"
)

// modified is when every object of a scripted storage was modified.
func modified() time.Time { return time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC) }

// Stat asks for a byte if a HEAD alone cannot tell whether the object can be read.
func TestStatReadsWhatAHeadCannotTell(t *testing.T) {
	t.Parallel()
	there, one := said{status: 200, length: "3"}, said{status: 206, body: "a"}
	class := func(name, value string) said {
		return said{status: 200, length: "3", headers: map[string]string{name: value}}
	}
	archived := said{status: 403, code: "InvalidObjectState"}
	info := gateway.ObjectInfo{
		Size:         3,
		ETag:         `"abc"`,
		VersionID:    "v1",
		ContentType:  "text/plain",
		LastModified: modified(),
	}
	asks, reads := []string{"HEAD"}, []string{"HEAD", "GET bytes=0-0"}
	tests := []struct {
		name      string
		head, get said
		info      gateway.ObjectInfo
		want      error
		asked     []string
	}{
		{"readable", there, archived, info, nil, asks},
		{"in GLACIER", class("X-Amz-Storage-Class", "GLACIER"), archived, info, gateway.ErrObjectArchived, reads},
		{
			"in DEEP_ARCHIVE",
			class("X-Amz-Storage-Class", "DEEP_ARCHIVE"),
			archived,
			info,
			gateway.ErrObjectArchived,
			reads,
		},
		{
			"in an archive tier",
			class("X-Amz-Archive-Status", "ARCHIVE_ACCESS"),
			archived,
			info,
			gateway.ErrObjectArchived,
			reads,
		},
		{
			"restored, or in a class of that name that can be read",
			class("X-Amz-Storage-Class", "GLACIER"),
			one,
			info,
			nil,
			reads,
		},
		{"in GLACIER_IR, which can be read", class("X-Amz-Storage-Class", "GLACIER_IR"), archived, info, nil, asks},
		{"under a key of KMS", said{status: 200, length: "3", kms: true}, one, info, nil, reads},
		{
			"under a key of KMS that is denied",
			said{status: 200, length: "3", kms: true},
			said{status: 403, code: "AccessDenied"},
			info, gateway.ErrObjectKMS, reads,
		},
		{
			"under a key of KMS that is disabled",
			said{status: 200, length: "3", kms: true},
			said{status: 400, code: "KMS.DisabledException"},
			info, gateway.ErrObjectKMS, reads,
		},
		{
			"under a customer's key",
			said{status: 400},
			said{status: 400, code: "InvalidRequest"},
			gateway.ObjectInfo{},
			gateway.ErrObjectEncrypted, reads,
		},
		{"another bad request", said{status: 400}, one, gateway.ObjectInfo{}, gateway.ErrObjectNotReadable, reads},
		{
			"archived, and busy", class("X-Amz-Storage-Class", "GLACIER"),
			said{status: 503, code: "SlowDown"},
			info, gateway.ErrUnavailable, nil,
		},
		{"missing", said{status: 404}, one, gateway.ObjectInfo{}, gateway.ErrObjectNotFound, asks},
		{"denied", said{status: 403}, one, gateway.ObjectInfo{}, gateway.ErrObjectNotReadable, asks},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			server := &scripted{head: tt.head, get: tt.get}
			storage, _ := storageAt(serve(t, server), nil)
			got, err := storage.Stat(t.Context(), "reports", "a", "")
			if !errors.Is(err, tt.want) || tt.want == nil && err != nil || got != tt.info {
				t.Errorf("got %+v, %v; want %+v, %v", got, err, tt.info, tt.want)
			}
			if asked := server.asked(); tt.asked != nil && !slices.Equal(asked, tt.asked) {
				t.Errorf("asked %v, want %v", asked, tt.asked)
			}
		})
	}
}

// After an object was overwritten while versioning was suspended, versitygw 1.8 answers 404
// to the HEAD of its versions, but still delivers them.
func TestVersionWithoutHead(t *testing.T) {
	t.Parallel()
	version := func(id string) map[string]string {
		return map[string]string{"X-Amz-Version-Id": id, "Content-Range": "bytes 0-0/3"}
	}
	found := gateway.ObjectInfo{
		Size:         3,
		ETag:         `"abc"`,
		VersionID:    "v1",
		ContentType:  "text/plain",
		LastModified: modified(),
	}
	tests := []struct {
		name string
		get  said
		want error
	}{
		{"a GET finds it", said{status: 206, body: "a", headers: version("v1")}, nil},
		{
			"a GET finds the current version",
			said{status: 206, body: "a", headers: version("v2")},
			gateway.ErrObjectNotFound,
		},
		{
			"a GET finds an object without a version",
			said{status: 206, body: "a", headers: version("")},
			gateway.ErrObjectNotFound,
		},
		{"a GET finds none", said{status: 404, code: "NoSuchVersion"}, gateway.ErrObjectNotFound},
		{
			"a GET says that it cannot be a version",
			said{status: 400, code: "InvalidArgument"},
			gateway.ErrObjectNotFound,
		},
		{"a GET is denied", said{status: 403, code: "AccessDenied"}, gateway.ErrObjectNotFound},
		{"a GET is not answered", said{status: 503, code: "SlowDown"}, gateway.ErrUnavailable},
		{"it is archived", said{status: 403, code: "InvalidObjectState"}, gateway.ErrObjectArchived},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			storage, _ := storageAt(serve(t, &scripted{head: said{status: 404}, get: tt.get}), nil)
			want := gateway.ObjectInfo{}
			if tt.want == nil {
				want = found
			}
			for name, question := range map[string]func() (gateway.ObjectInfo, error){
				"Stat":  func() (gateway.ObjectInfo, error) { return storage.Stat(t.Context(), "reports", "a", "v1") },
				"Prove": func() (gateway.ObjectInfo, error) { return storage.Prove(t.Context(), "reports", "a", "v1") },
			} {
				got, err := question()
				if !errors.Is(err, tt.want) || tt.want == nil && err != nil || got != want {
					t.Errorf("%s: got %+v, %v; want %+v, %v", name, got, err, want, tt.want)
				}
			}
		})
	}
}

// Properties that are missing in the answer to a HEAD come from the GET of the first byte.
func TestProveCompletesAHead(t *testing.T) {
	t.Parallel()
	bare := map[string]string{"Last-Modified": ""}
	tests := []struct {
		name     string
		get      said
		size     int64
		modified time.Time
	}{
		{
			"a range",
			said{status: 206, body: "a", headers: map[string]string{"Content-Range": "bytes 0-0/12345"}},
			12345,
			modified(),
		},
		{
			"a range of an unknown whole",
			said{status: 206, body: "a", headers: map[string]string{"Content-Range": "bytes 0-0/*"}},
			gateway.UnknownSize,
			modified(),
		},
		{
			"a strange range",
			said{status: 206, body: "a", headers: map[string]string{"Content-Range": "bytes 0-0/-7"}},
			gateway.UnknownSize,
			modified(),
		},
		{"the whole", said{status: 200, body: "abcd", length: "4"}, 4, modified()},
		{"nothing", said{status: 206, body: "a", headers: bare}, gateway.UnknownSize, time.Time{}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			storage, _ := storageAt(serve(t, &scripted{head: said{status: 200, headers: bare}, get: tt.get}), nil)
			info, err := storage.Prove(t.Context(), "reports", "a", "")
			if err != nil || info.Size != tt.size || !info.LastModified.Equal(tt.modified) {
				t.Errorf(
					"got %d bytes of %v, %v; want %d of %v",
					info.Size,
					info.LastModified,
					err,
					tt.size,
					tt.modified,
				)
			}
		})
	}
}
