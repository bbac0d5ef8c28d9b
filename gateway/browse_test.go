package gateway

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// keys returns a storage of these keys that lists as S3 does, by pages.
func keys(all ...string) func(KeyQuery) KeyPage {
	all = slices.Sorted(slices.Values(all)) // the caller may have given its own slice
	return func(q KeyQuery) KeyPage {
		var page KeyPage
		after, last := max(q.After, q.Token), ""
		for _, key := range all {
			rest, ok := strings.CutPrefix(key, q.Prefix)
			folder, _, below := strings.Cut(rest, "/")
			name := key
			if below = below && q.Folders; below {
				name = q.Prefix + folder + "/"
			}
			if !ok || name <= after || name == last {
				continue
			}
			if len(page.Folders)+len(page.Objects) == q.Limit {
				page.Token = last
				return page
			}
			if below {
				page.Folders = append(page.Folders, name)
			} else {
				page.Objects = append(page.Objects, ObjectEntry{Key: name})
			}
			last = name
		}
		return page
	}
}

// names returns a page's entries, folders first.
func (p *ObjectsPage) names() []string {
	names := slices.Clone(p.Folders)
	for _, o := range p.Objects {
		names = append(names, o.Key)
	}
	return names
}

// The message about an unknown bucket names that bucket and, to a key that may list them,
// the buckets that there are. It repeats no text that may be secret.
func TestUnknownBucketIsNamed(t *testing.T) {
	t.Parallel()
	noBrowse := everything()
	noBrowse.Can = []Action{ActionIssue}
	const token = "4uQeVj5tqViQh7yWWGStvk"
	for _, tt := range []struct {
		actor           *Actor
		storage, bucket string
		want            string
	}{
		{everything(), "", "report", "the configuration does not have the bucket report; it has archive, exports, reports"},
		{everything(), "main", "archive", "the storage main does not have the bucket archive; it has exports, reports"},
		{noBrowse, "", "report", "the configuration does not have the bucket report"},
		{
			everything(), "", "https://s3.test/?X-Amz-Signature=canary",
			"the configuration does not have this bucket; it has archive, exports, reports",
		},
		{noBrowse, "", "khk_CANARY", "the configuration does not have this bucket"},
		{noBrowse, "", token, "the configuration does not have this bucket"},
		{noBrowse, "", strings.Repeat("b", 64), "the configuration does not have this bucket"},
	} {
		f := newFixture(t, nil)
		_, err := f.service.Issue(t.Context(), tt.actor, &IssueRequest{Storage: tt.storage, Bucket: tt.bucket, Key: "a"})
		var refused *Error
		if !errors.As(err, &refused) || len(refused.Fields) != 1 || refused.Fields[0].Message != tt.want {
			t.Errorf("%q: got %+v, want %q", tt.bucket, refused, tt.want)
		}
	}
	f := newFixture(t, func(o *Options) {
		for i := range 12 {
			o.Storages[0].Buckets = append(o.Storages[0].Buckets, fmt.Sprintf("b%02d", i))
		}
	})
	_, err := f.service.Issue(t.Context(), everything(), &IssueRequest{Bucket: "report", Key: "a"})
	var refused *Error
	if !errors.As(err, &refused) || !strings.HasSuffix(refused.Fields[0].Message,
		"it has archive, b00, b01, b02, b03, b04, b05, b06, b07, b08 and 5 more") {
		t.Errorf("of 15 buckets: %+v", refused)
	}
}

func TestBuckets(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil)
	for scope, want := range map[Pattern]string{
		"*":                 "[{main reports} {main exports} {other reports} {other archive}]",
		"reports/*":         "[{main reports} {other reports}]",
		"other:*":           "[{other reports} {other archive}]",
		"main:exports/a/b":  "[{main exports}]",
		"*/invoices/*":      "[{main reports} {main exports} {other reports} {other archive}]",
		"rep*":              "[{main reports} {other reports}]",
		"nothing/*":         "[]",
		"main:exports":      "[]",
		"other:exports/a/b": "[]",
	} {
		actor := everything()
		actor.Objects = []Pattern{scope}
		got, err := f.service.Buckets(actor)
		if err != nil || fmt.Sprint(got) != want {
			t.Errorf("%s sees %v, %v; want %s", scope, got, err, want)
		}
	}
	actor := everything()
	actor.Can = []Action{ActionIssue, ActionRead, ActionRevoke}
	var refused *Error
	if _, err := f.service.Buckets(actor); !errors.As(err, &refused) || refused.Code != CodeForbidden {
		t.Errorf("without browse: %v", err)
	}
	if _, err := f.service.Objects(t.Context(), actor,
		ObjectsQuery{Bucket: "exports", Limit: 1}); !errors.As(err, &refused) || refused.Code != CodeForbidden {
		t.Errorf("without browse: %v", err)
	}
}

func TestObjects(t *testing.T) {
	t.Parallel()
	var many []string
	for i := range 3000 {
		many = append(many, fmt.Sprintf("logs/%04d.txt", i))
	}
	all := append(many, "a/1", "a/2", "b/", "b/Q3 Invoice.pdf", "b/c/invoice.txt", "d//e", "top.txt", "invoices.zip",
		"d//caf\u00e9", "d//cafe\u0301")
	tests := []struct {
		name  string
		scope Pattern
		query ObjectsQuery // of the bucket exports
		want  []string     // pages, their entries joined by spaces
		asked int          // of the storage
	}{
		{"the bucket", "*", ObjectsQuery{Limit: 50}, []string{"a/ b/ d/ logs/ invoices.zip top.txt"}, 1},
		{"by pages", "*", ObjectsQuery{Limit: 2}, []string{"a/ b/", "d/ invoices.zip", "logs/ top.txt"}, 3},
		{"a folder", "*", ObjectsQuery{Prefix: "b/", Limit: 50}, []string{"b/c/ b/ b/Q3 Invoice.pdf"}, 1},
		{"doubled slashes", "*", ObjectsQuery{Prefix: "d/", Limit: 50}, []string{"d//"}, 1},
		{"a prefix without a slash", "*", ObjectsQuery{Prefix: "top", Limit: 50}, []string{"top.txt"}, 1},
		{"nothing", "*", ObjectsQuery{Prefix: "x/", Limit: 50}, []string{""}, 1},
		{
			"searched", "*",
			ObjectsQuery{Search: "INVOICE", Limit: 50},
			[]string{"b/Q3 Invoice.pdf b/c/invoice.txt invoices.zip"},
			4,
		},
		{
			"searched, with accents of both kinds", "*",
			ObjectsQuery{Prefix: "d/", Search: "É", Limit: 50},
			[]string{"d//cafe\u0301 d//caf\u00e9"},
			1,
		},
		{
			"searched by pages", "*",
			ObjectsQuery{Search: "invoice", Limit: 2},
			[]string{"b/Q3 Invoice.pdf b/c/invoice.txt", "invoices.zip"},
			5,
		},
		{
			"searched in a folder, not in its name", "*",
			ObjectsQuery{Prefix: "logs/", Search: "logs", Limit: 50},
			[]string{""},
			3,
		},
		{"scope: a folder alone", "exports/b/*", ObjectsQuery{Limit: 50}, []string{"b/"}, 1},
		{"scope: within", "exports/b/*", ObjectsQuery{Prefix: "b/", Limit: 50}, []string{"b/c/ b/ b/Q3 Invoice.pdf"}, 1},
		{"scope: outside", "exports/b/*", ObjectsQuery{Prefix: "a/", Limit: 50}, []string{""}, 0},
		{
			"scope: searched", "exports/b/*",
			ObjectsQuery{Search: "invoice", Limit: 50},
			[]string{"b/Q3 Invoice.pdf b/c/invoice.txt"},
			4,
		},
		{"scope: one object", "exports/top.txt", ObjectsQuery{Limit: 50}, []string{"top.txt"}, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, nil)
			f.objects.list = keys(all...)
			actor := everything()
			actor.Objects = []Pattern{tt.scope}
			q := tt.query
			q.Bucket = "exports"
			for i, want := range tt.want {
				page, err := f.service.Objects(t.Context(), actor, q)
				if err != nil || strings.Join(page.names(), " ") != want || page.Storage != "main" {
					t.Fatalf("page %d: got %q, %v; want %q", i, page.names(), err, want)
				}
				if last := i+1 == len(tt.want); (page.Next == "") != last {
					t.Fatalf("page %d: next is %q", i, page.Next)
				}
				q.Cursor = page.Next
			}
			if len(f.objects.listed) != tt.asked {
				t.Errorf("the storage was asked %d times, want %d: %+v", len(f.objects.listed), tt.asked, f.objects.listed)
			}
			for _, asked := range f.objects.listed {
				if asked.Bucket != "exports" || asked.Limit < 1 || asked.Limit > 1000 {
					t.Errorf("asked for %+v", asked)
				}
			}
		})
	}
}

// A search through more keys than one page may look at comes back short, and
// goes on where it was.
func TestObjectsBudget(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil)
	var many []string
	for i := range 12_500 {
		many = append(many, fmt.Sprintf("%05d", i))
	}
	f.objects.list = keys(append(many, "needle")...)
	q := ObjectsQuery{Bucket: "exports", Search: "needle", Limit: 50}
	var found []string
	for page := range 3 {
		got, err := f.service.Objects(t.Context(), everything(), q)
		if err != nil || (got.Next == "") != (page == 2) {
			t.Fatalf("page %d: %q, next %q, %v", page, got.names(), got.Next, err)
		}
		if asked := len(f.objects.listed); asked > (page+1)*browseBudget {
			t.Fatalf("page %d: the storage was asked %d times", page, asked)
		}
		found = append(found, got.names()...)
		q.Cursor = got.Next
	}
	if !slices.Equal(found, []string{"needle"}) {
		t.Errorf("found %q", found)
	}
}

// TestSearchBeyondUnusableKeys searches a bucket whose first pages hold only keys that
// are not UTF-8, which a listing leaves out: the search goes on behind them, also if a
// page of results ends there.
func TestSearchBeyondUnusableKeys(t *testing.T) {
	t.Parallel()
	for _, unusable := range []int{1, browseBudget, 2*browseBudget + 1} {
		f := newFixture(t, nil)
		f.objects.list = func(q KeyQuery) KeyPage {
			page := 0
			if q.Token != "" {
				page, _ = strconv.Atoi(q.Token)
			}
			if page < unusable {
				return KeyPage{Token: strconv.Itoa(page + 1)}
			}
			return KeyPage{Objects: []ObjectEntry{{Key: "needle 1"}, {Key: "needle 2"}}}
		}
		q := ObjectsQuery{Bucket: "exports", Search: "needle", Limit: 50}
		var found []string
		for range unusable + 2 {
			got, err := f.service.Objects(t.Context(), everything(), q)
			if err != nil {
				t.Fatal(err)
			}
			found = append(found, got.names()...)
			if q.Cursor = got.Next; q.Cursor == "" {
				break
			}
		}
		if !slices.Equal(found, []string{"needle 1", "needle 2"}) || q.Cursor != "" {
			t.Errorf("behind %d pages: found %q, next %q", unusable, found, q.Cursor)
		}
	}
}

func TestObjectsRefused(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		query ObjectsQuery
		scope Pattern
		err   error
		code  Code
		field string
	}{
		{"unknown bucket", ObjectsQuery{Bucket: "nosuch"}, "*", nil, CodeNotFound, ""},
		{"bucket outside the scope", ObjectsQuery{Bucket: "exports"}, "reports/*", nil, CodeNotFound, ""},
		{"unknown storage", ObjectsQuery{Bucket: "reports", Storage: "nosuch"}, "*", nil, CodeNotFound, ""},
		{"bucket of two storages", ObjectsQuery{Bucket: "reports"}, "*", nil, CodeInvalid, "storage required"},
		{
			"long prefix",
			ObjectsQuery{Bucket: "exports", Prefix: strings.Repeat("x", 1025)},
			"*", nil, CodeInvalid,
			"prefix too_long",
		},
		{
			"long search",
			ObjectsQuery{Bucket: "exports", Search: strings.Repeat("x", 1025)},
			"*", nil, CodeInvalid,
			"search too_long",
		},
		{
			"prefix with a control character",
			ObjectsQuery{Bucket: "exports", Prefix: "a\x00"},
			"*", nil, CodeInvalid,
			"prefix invalid",
		},
		{
			"search with a control character",
			ObjectsQuery{Bucket: "exports", Search: "a\nb"},
			"*", nil, CodeInvalid,
			"search invalid",
		},
		{"foreign cursor", ObjectsQuery{Bucket: "exports", Cursor: "x"}, "*", nil, CodeBadRequest, ""},
		{
			"not listable",
			ObjectsQuery{Bucket: "exports"},
			"*", fmt.Errorf("%w: canary", ErrObjectNotReadable), CodeInvalid,
			"bucket bucket_not_listable",
		},
		{
			"not there",
			ObjectsQuery{Bucket: "exports"},
			"*", fmt.Errorf("%w: canary", ErrObjectNotFound), CodeInvalid,
			"bucket bucket_not_found",
		},
		{"away", ObjectsQuery{Bucket: "exports"}, "*", fmt.Errorf("%w: canary", ErrUnavailable), CodeUnavailable, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, nil)
			f.objects.err = tt.err
			actor := everything()
			actor.Objects = []Pattern{tt.scope}
			tt.query.Limit = 50
			_, err := f.service.Objects(t.Context(), actor, tt.query)
			var refused *Error
			if !errors.As(err, &refused) || refused.Code != tt.code || strings.Contains(refused.Message, "canary") {
				t.Fatalf("got %v", err)
			}
			field := ""
			if len(refused.Fields) > 0 {
				field = refused.Fields[0].Field + " " + refused.Fields[0].Code
			}
			if field != tt.field {
				t.Errorf("got the field %q, want %q", field, tt.field)
			}
		})
	}
	f := newFixture(t, nil)
	f.objects.list = keys("a", "b", "c")
	first, err := f.service.Objects(t.Context(), everything(), ObjectsQuery{Bucket: "exports", Limit: 1})
	if err != nil || first.Next == "" {
		t.Fatalf("got %+v, %v", first, err)
	}
	var refused *Error
	for _, q := range []ObjectsQuery{{Prefix: "a"}, {Search: "a"}, {Bucket: "archive"}} {
		if q.Bucket == "" {
			q.Bucket = "exports"
		}
		q.Limit, q.Cursor = 1, first.Next
		if _, err := f.service.Objects(t.Context(), everything(), q); !errors.As(err, &refused) ||
			refused.Code != CodeBadRequest {
			t.Errorf("%+v goes on from a cursor of another query: %v", q, err)
		}
	}
	f.store.err = ErrUnavailable
	if _, err := f.service.Objects(t.Context(), everything(),
		ObjectsQuery{Bucket: "exports", Limit: 1}); !errors.As(err, &refused) || refused.Code != CodeUnavailable {
		t.Errorf("without Redis: %v", err)
	}
}

// A listing and a search say what the policy holds sensitive.
func TestObjectsSaySensitive(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil)
	f.objects.list = keys("a/invoices/1", "a/invoice", "invoices/2")
	for _, q := range []ObjectsQuery{{Search: "invoice"}, {Prefix: "a/invoices/"}} {
		q.Storage, q.Bucket, q.Limit = "main", "reports", 50
		page, err := f.service.Objects(t.Context(), everything(), q)
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range page.Objects {
			if want := strings.Contains(o.Key, "invoices/"); o.Sensitive != want {
				t.Errorf("%+v: %s is sensitive: %v, want %v", q, o.Key, o.Sensitive, want)
			}
		}
	}
}
