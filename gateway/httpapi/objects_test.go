package httpapi

import (
	"strings"
	"testing"
	"time"

	"keyhole/gateway"
)

func TestBucketsAnswer(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	if a := b.operator(opsKey, "GET", "/api/v1/buckets",
		""); a.body != `{"buckets":[{"storage":"main","bucket":"reports"},{"storage":"main","bucket":"exports"}]}`+"\n" {
		t.Errorf("got %d %s", a.status, a.body)
	}
	for target, key := range map[string]string{"/api/v1/buckets": readKey, "/api/v1/objects?bucket=reports": exportsKey} {
		if a := b.operator(key, "GET", target, ""); a.status != 403 || a.problem(t).Code != "forbidden" {
			t.Errorf("%s without browse: got %d %s", target, a.status, a.body)
		}
	}
	if a := b.operator(opsKey, "GET", "/api/v1/buckets?bucket=reports", ""); a.status != 400 {
		t.Errorf("with a query: got %d %s", a.status, a.body)
	}
}

func TestObjectsAnswer(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	if a := b.operator(opsKey, "GET", "/api/v1/objects?bucket=reports",
		""); a.body != `{"storage":"main","bucket":"reports","folders":[],"objects":[]}`+"\n" {
		t.Errorf("an empty bucket: got %d %s", a.status, a.body)
	}
	b.storage.keys = gateway.KeyPage{Folders: []string{"2026/"}, Objects: []gateway.ObjectEntry{{
		Key: "a\u2028<b>", Size: 3, ETag: `"e"`, LastModified: time.Date(2026, 11, 1, 13, 0, 0, 0,
			time.FixedZone("CET", 3600)), StorageClass: "GLACIER",
	}}, Token: "more"}
	want := `{"storage":"main","bucket":"reports","folders":["2026/"],"objects":[` +
		`{"key":"a\u2028\u003cb\u003e","size":3,"etag":"\"e\"",` +
		`"last_modified":"2026-11-01T12:00:00Z","storage_class":"GLACIER"}],"next":"`
	a := b.operator(opsKey, "GET", "/api/v1/objects?bucket=reports&limit=2", "")
	if !strings.HasPrefix(a.body, want) {
		t.Errorf("got %d %s\nwant %s", a.status, a.body, want)
	}
}

func TestObjectsQuery(t *testing.T) {
	t.Parallel()
	tests := []struct {
		query  string
		status int
		asked  gateway.KeyQuery // of the storage, where the status is 200
	}{
		{"?bucket=reports", 200, gateway.KeyQuery{Bucket: "reports", Folders: true, Limit: 50}},
		{"?bucket=reports&storage=main&limit=500", 200, gateway.KeyQuery{Bucket: "reports", Folders: true, Limit: 500}},
		{"?bucket=reports&prefix=a%2Fb%20%2B%26*", 200, gateway.KeyQuery{
			Bucket: "reports", Prefix: "a/b +&*",
			Folders: true, Limit: 50,
		}},
		{"?bucket=reports&prefix=..%2F..%2Fetc%2F", 200, gateway.KeyQuery{
			Bucket: "reports", Prefix: "../../etc/",
			Folders: true, Limit: 50,
		}},
		{"?bucket=reports&search=x&limit=1", 200, gateway.KeyQuery{Bucket: "reports", Limit: 1000}},

		{"", 400, gateway.KeyQuery{}},
		{"?bucket=", 400, gateway.KeyQuery{}},
		{"?bucket=reports&prefix=", 400, gateway.KeyQuery{}},
		{"?bucket=reports&search=", 400, gateway.KeyQuery{}},
		{"?bucket=reports&bucket=exports", 400, gateway.KeyQuery{}},
		{"?bucket=reports&limit=0", 400, gateway.KeyQuery{}},
		{"?bucket=reports&limit=501", 400, gateway.KeyQuery{}},
		{"?bucket=reports&limit=x", 400, gateway.KeyQuery{}},
		{"?bucket=reports&prefix=%ff", 400, gateway.KeyQuery{}},
		{"?bucket=reports&search=%c3", 400, gateway.KeyQuery{}},
		{"?bucket=reports&cursor=forged", 400, gateway.KeyQuery{}},
		{"?bucket=reports&delimiter=x", 400, gateway.KeyQuery{}},
		{"?bucket=reports&endpoint=http%3A%2F%2F127.0.0.1", 400, gateway.KeyQuery{}},
		{"?bucket=reports&prefix=" + strings.Repeat("a", 1025), 422, gateway.KeyQuery{}},
		{"?bucket=nosuch", 404, gateway.KeyQuery{}},
		{"?bucket=reports/exports", 404, gateway.KeyQuery{}},
		{"?bucket=reports%00", 404, gateway.KeyQuery{}},
		{"?bucket=reports&storage=nosuch", 404, gateway.KeyQuery{}},
	}
	for _, tt := range tests {
		t.Run(tt.query, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, nil)
			a := b.operator(opsKey, "GET", "/api/v1/objects"+tt.query, "")
			if a.status != tt.status {
				t.Fatalf("got %d, want %d: %s", a.status, tt.status, a.body)
			}
			if tt.status != 200 {
				a.problem(t)
				if len(b.storage.listed) != 0 {
					t.Errorf("the storage was asked for %+v", b.storage.listed)
				}
			} else if len(b.storage.listed) != 1 || b.storage.listed[0] != tt.asked {
				t.Errorf("the storage was asked for %+v, want %+v", b.storage.listed, tt.asked)
			}
		})
	}
}
