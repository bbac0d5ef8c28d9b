package objects

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/credentials"

	"keyhole/gateway"
	"keyhole/gateway/objects/s3test"
)

// TestList lists real storages with pages of every size, and with keys that are difficult
// to list.
func TestList(t *testing.T) {
	t.Parallel()
	stored := []string{
		"a b", "a%2Bb", "a%20b", "a&<b>'\"", "a+b", "x~y*'()!", "é", "e\u0301", "📄", "d/x", "d/y", "d/z/1", "e/", "z",
	}
	inFolders := []string{"a b", "a%2Bb", "a%20b", "a&<b>'\"", "a+b", "x~y*'()!", "é", "e\u0301", "📄", "d/", "e/", "z"}
	for name, start := range s3test.All() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			keys, folders := slices.Clone(stored), slices.Clone(inFolders)
			server := start(t, "reports", "empty", "control")
			for _, key := range keys {
				content := "12345"
				if strings.HasSuffix(key, "/") {
					content = "" // versitygw stores such a key as a directory
				}
				server.Put(t, "reports", key, "text/plain", []byte(content))
			}
			service, seen := storageAt(server.Endpoint(), func(o *Options) {
				o.Credentials = credentials.NewStaticCredentialsProvider(s3test.RootKey, s3test.RootSecret, "")
			})
			for _, limit := range []int{1, 2, 3, 7, 1000} {
				got := all(t, service, gateway.KeyQuery{Bucket: "reports", Limit: limit})
				slices.Sort(keys)
				if !slices.Equal(got, keys) {
					t.Errorf("%d at once: got %q, want %q", limit, got, keys)
				}
				got = all(t, service, gateway.KeyQuery{Bucket: "reports", Folders: true, Limit: limit})
				slices.Sort(got)
				slices.Sort(folders)
				if name == "in-process" { // this storage lists the object of a folder in addition to the folder
					got = slices.Compact(got)
				}
				if !slices.Equal(got, folders) {
					t.Errorf("%d at once, by folders: got %q, want %q", limit, got, folders)
				}
				// A listing after a key begins with the next key.
				for i, key := range keys {
					page, err := service.List(t.Context(), gateway.KeyQuery{Bucket: "reports", After: key, Limit: limit})
					if err != nil || len(page.Objects) != min(limit, len(keys)-i-1) ||
						len(page.Objects) > 0 && page.Objects[0].Key != keys[i+1] {
						t.Errorf("after %q: %+v, %v", key, page, err)
					}
				}
			}
			if got := all(t, service, gateway.KeyQuery{
				Bucket: "reports", Prefix: "d/", Folders: true, Limit: 10,
			}); !slices.Equal(got, []string{"d/z/", "d/x", "d/y"}) {
				t.Errorf("in a folder: %q", got)
			}
			if got := all(t, service, gateway.KeyQuery{Bucket: "empty", Limit: 10}); len(got) != 0 {
				t.Errorf("in an empty bucket: %q", got)
			}
			// XML cannot express this key: only storages that encode keys can list it. It
			// must not be the last key of a page, because RGW and gofakes3 do not encode
			// the continuation tokens that contain it.
			if name != "versitygw" {
				server.Put(t, "control", "control\x01", "text/plain", []byte("12345"))
				if got := all(t, service,
					gateway.KeyQuery{Bucket: "control", Limit: 10}); !slices.Equal(got, []string{"control\x01"}) {
					t.Errorf("a control character: %q", got)
				}
			}
			page, err := service.List(t.Context(), gateway.KeyQuery{Bucket: "reports", Prefix: "z", Limit: 10})
			if err != nil || len(page.Objects) != 1 || page.Objects[0].Size != 5 || page.Objects[0].ETag == "" ||
				page.Objects[0].LastModified.IsZero() {
				t.Errorf("got %+v, %v", page, err)
			}
			if _, err := service.List(t.Context(),
				gateway.KeyQuery{Bucket: "nowhere", Limit: 1}); !errors.Is(err, gateway.ErrObjectNotFound) {
				t.Errorf("no such bucket: %v", err)
			}
			if !slices.Contains(seen.told, "list_objects ok") || !slices.Contains(seen.told, "list_objects not_found") {
				t.Errorf("observed %q", seen.told)
			}
			denied, _ := storageAt(server.Endpoint(), func(o *Options) {
				o.Credentials = credentials.NewStaticCredentialsProvider(s3test.RootKey, "wrong", "")
			})
			if _, err := denied.List(t.Context(),
				gateway.KeyQuery{Bucket: "reports", Limit: 1}); !errors.Is(err, gateway.ErrObjectNotReadable) {
				t.Errorf("denied: %v", err)
			}
		})
	}
}

// all returns the entries of all pages, with the folders of each page first.
func all(t *testing.T, service *Storage, q gateway.KeyQuery) []string {
	t.Helper()
	var found []string
	for range 40 {
		page, err := service.List(t.Context(), q)
		if err != nil {
			t.Errorf("list %+v: %v", q, err)
			return nil
		}
		found = append(found, page.Folders...)
		for _, o := range page.Objects {
			found = append(found, o.Key)
		}
		if q.Token = page.Token; q.Token == "" {
			return found
		}
	}
	t.Errorf("list %+v does not end", q)
	return nil
}

// TestListBroken refuses the whole page if the storage encodes a key wrongly.
func TestListBroken(t *testing.T) {
	t.Parallel()
	const head = `<ListBucketResult><Name>reports</Name><EncodingType>url</EncodingType>`
	unknown := gateway.ErrUnavailable
	for body, want := range map[string]error{
		head + `<Contents><Key>a%zz</Key></Contents></ListBucketResult>`:                                   unknown,
		head + `<CommonPrefixes><Prefix>a%zz/</Prefix></CommonPrefixes></ListBucketResult>`:                unknown,
		head + `<Contents><Key>%ff</Key></Contents><Contents><Key>a+b</Key></Contents></ListBucketResult>`: nil,
		`<ListBucketResult><Name>reports</Name><Contents><Key>a%zz</Key></Contents></ListBucketResult>`:    nil,
		`<ListBucketResult></ListBucketResult>`:                                                            unknown,
		`no XML at all`:                                                                                    unknown,
	} {
		service, _ := storageAt(serve(t, &scripted{get: said{status: 200, body: body}}), nil)
		page, err := service.List(t.Context(), gateway.KeyQuery{Bucket: "reports", Limit: 10})
		if !errors.Is(err, want) {
			t.Errorf("%s: %v", body, err)
		}
		if want == nil && (len(page.Objects) != 1 || !slices.Contains([]string{"a b", "a%zz"}, page.Objects[0].Key)) {
			t.Errorf("%s: %s", body, fmt.Sprint(page))
		}
	}
}
