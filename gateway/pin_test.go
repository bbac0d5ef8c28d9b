package gateway

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"keyhole/signer"
)

// What a link comes to be pinned to, by what is asked for and what the storage
// says of the object.
func TestIssuePins(t *testing.T) {
	t.Parallel()
	versioned := ObjectInfo{ETag: `"e"`, VersionID: "v2"}
	plain := ObjectInfo{ETag: `"e"`}
	older := map[string]ObjectInfo{"v1": {ETag: `"old"`, VersionID: "v1"}, "v2": versioned}
	tests := []struct {
		name        string
		object      ObjectInfo
		versions    map[string]ObjectInfo
		err         error // of the current object
		pin         string
		version     string
		want        string // the pin; empty: it is refused
		wantVersion string
		field, code string
	}{
		{name: "auto with versions", object: versioned, want: PinVersion, wantVersion: "v2"},
		{name: "auto, said", object: versioned, pin: PinAuto, want: PinVersion, wantVersion: "v2"},
		{name: "auto without versions", object: plain, want: PinETag},
		{name: "version", object: versioned, pin: PinVersion, want: PinVersion, wantVersion: "v2"},
		{name: "version without versions", object: plain, pin: PinVersion, field: "pin", code: "no_versions"},
		{name: "etag with versions", object: versioned, pin: PinETag, want: PinETag, wantVersion: "v2"},
		{name: "etag", object: plain, pin: PinETag, want: PinETag},
		{name: "etag without one", pin: PinETag, field: "pin", code: "invalid"},
		{name: "auto without anything", want: PinNone},
		{name: "auto without anything, said", pin: PinAuto, want: PinNone},
		{name: "version without anything", pin: PinVersion, field: "pin", code: "no_versions"},
		{name: "none without anything", pin: PinNone, want: PinNone},
		{name: "none with versions", object: versioned, pin: PinNone, want: PinNone, wantVersion: "v2"},
		{name: "an older version", object: versioned, versions: older, version: "v1", want: PinVersion, wantVersion: "v1"},
		{
			name: "an older version, pin said", object: versioned, versions: older, version: "v1", pin: PinVersion,
			want: PinVersion, wantVersion: "v1",
		},
		{name: "the current version", object: versioned, versions: older, version: "v2", want: PinVersion, wantVersion: "v2"},
		{
			name: "a version from before versions were suspended", object: plain, versions: older, version: "v1",
			want: PinVersion, wantVersion: "v1",
		},
		{
			name: "a version that is not there", object: versioned, versions: older, version: "v3", field: "version_id",
			code: "object_not_found",
		},
		{
			name: "an older version of an archived object", object: versioned, err: ErrObjectArchived, versions: older,
			version: "v1", want: PinVersion, wantVersion: "v1",
		},
		{
			name: "an older version of an encrypted object", err: ErrObjectEncrypted, versions: older, version: "v1",
			want: PinVersion, wantVersion: "v1",
		},
		{
			name: "a version of a deleted object", err: ErrObjectNotFound, versions: older, version: "v1", field: "key",
			code: "object_not_found",
		},
		{name: "a version in a bucket without", object: plain, version: "v1", field: "version_id", code: "no_versions"},
		{
			name: "a storage that ignores versions", object: plain, versions: map[string]ObjectInfo{"v1": plain}, version: "v1",
			field: "version_id", code: "no_versions",
		},
		{name: "a storage that fails in between", err: ErrUnavailable, versions: older, version: "v1"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, nil)
			f.objects.info, f.objects.versions, f.objects.err = tt.object, tt.versions, tt.err
			issued, err := f.service.Issue(t.Context(), everything(),
				&IssueRequest{Bucket: "exports", Key: "a", Pin: tt.pin, VersionID: tt.version})
			if tt.want == "" {
				if tt.code == "" {
					wantCode(t, err, CodeUnavailable)
				} else {
					wantField(t, err, tt.field, tt.code)
				}
				if f.store.calls != 0 {
					t.Error("a link was stored")
				}
				return
			}
			if err != nil || issued.Link.Pin != tt.want || issued.Link.Object.VersionID != tt.wantVersion {
				t.Fatalf("got pin %q, version %q, %v; want %q, %q", issued.Link.Pin, issued.Link.Object.VersionID, err, tt.want,
					tt.wantVersion)
			}
			noted := slices.ContainsFunc(issued.Link.Notes, func(n Note) bool {
				return n.Code == map[string]string{PinVersion: NoteVersionPinned, PinETag: NoteETagOnly}[tt.want]
			})
			if noted != (tt.want != PinNone) {
				t.Errorf("noted %v", issued.Link.Notes)
			}
		})
	}
}

// If the storage reports neither a version nor an ETag, a link cannot be pinned. A
// warning says so, and a sensitive object needs the pin none to be asked for.
func TestIssueOfWhatCannotBePinned(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name      string
		key, pin  string
		sensitive *bool
		object    ObjectInfo
		refused   bool
		warns     bool
	}{
		{name: "not stated", key: "a", warns: true},
		{name: "not sensitive", key: "a", sensitive: new(false), warns: true},
		{name: "sensitive", key: "a", sensitive: new(true), refused: true},
		{name: "sensitive, auto said", key: "a", pin: PinAuto, sensitive: new(true), refused: true},
		{name: "sensitive by policy", key: "x/invoices/1", refused: true},
		{name: "sensitive, none asked for", key: "a", pin: PinNone, sensitive: new(true), warns: true},
		{name: "sensitive by policy, none asked for", key: "x/invoices/1", pin: PinNone, warns: true},
		{name: "sensitive, with an ETag", key: "a", sensitive: new(true), object: ObjectInfo{ETag: `"e"`}},
		{name: "none asked for, with an ETag", key: "a", pin: PinNone, object: ObjectInfo{ETag: `"e"`}},
		{name: "with a version only", key: "a", sensitive: new(true), object: ObjectInfo{VersionID: "v1"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, nil)
			f.objects.info = tt.object
			issued, err := f.service.Issue(t.Context(), everything(),
				&IssueRequest{Bucket: "exports", Key: tt.key, Pin: tt.pin, Sensitive: tt.sensitive})
			if tt.refused {
				wantField(t, err, "pin", "not_pinnable")
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			warned := slices.ContainsFunc(issued.Link.Warnings, func(w Warning) bool { return w.Code == WarnNotPinned })
			if warned != tt.warns || tt.warns && issued.Link.Pin != PinNone {
				t.Errorf("got the pin %s and the warnings %v", issued.Link.Pin, issued.Link.Warnings)
			}
		})
	}
}

// A pinned link redirects to what was approved and to nothing else.
func TestClickComparesTheObject(t *testing.T) {
	t.Parallel()
	byETag := Permission{Pin: PinETag, ETag: `"e"`}
	byVersion := Permission{Pin: PinVersion, VersionID: "v1"}
	v1 := map[string]ObjectInfo{"v1": {VersionID: "v1"}}
	const object, version = "reports/2026/q3.pdf", "reports/2026/q3.pdf@v1"
	tests := []struct {
		name       string
		permission Permission
		current    ObjectInfo
		err        error
		versions   map[string]ObjectInfo
		want       Outcome
		asked      []string
	}{
		{"no pin", Permission{}, ObjectInfo{}, ErrObjectNotFound, nil, OutcomeRedirected, nil},
		{"the same ETag", byETag, ObjectInfo{ETag: `"e"`}, nil, nil, OutcomeRedirected, []string{object}},
		{"another ETag", byETag, ObjectInfo{ETag: `"f"`}, nil, nil, OutcomeObjectChanged, []string{object}},
		{"no ETag", byETag, ObjectInfo{}, nil, nil, OutcomeObjectChanged, []string{object}},
		{"deleted", byETag, ObjectInfo{}, ErrObjectNotFound, nil, OutcomeObjectGone, []string{object}},
		{"the current version", byVersion, ObjectInfo{VersionID: "v1"}, nil, v1, OutcomeRedirected, []string{object}},
		{"a newer version", byVersion, ObjectInfo{VersionID: "v2"}, nil, v1, OutcomeRedirected, []string{object, version}},
		{"a newer one without a version", byVersion, ObjectInfo{}, nil, v1, OutcomeRedirected, []string{object, version}},
		{
			"a newer version, the pinned one deleted", byVersion,
			ObjectInfo{VersionID: "v2"},
			nil, nil, OutcomeObjectGone,
			[]string{object, version},
		},
		{"a delete marker", byVersion, ObjectInfo{}, ErrObjectNotFound, v1, OutcomeObjectGone, []string{object}},
		{"may not ask", byETag, ObjectInfo{}, ErrObjectNotReadable, nil, OutcomeUnavailable, []string{object}},
		{"archived", byETag, ObjectInfo{ETag: `"e"`}, ErrObjectArchived, nil, OutcomeObjectArchived, []string{object}},
		{
			"archived, another ETag", byETag,
			ObjectInfo{ETag: `"f"`},
			ErrObjectArchived, nil, OutcomeObjectChanged,
			[]string{object},
		},
		{
			"archived, the current version", byVersion,
			ObjectInfo{VersionID: "v1"},
			ErrObjectArchived, v1,
			OutcomeObjectArchived,
			[]string{object},
		},
		{
			"archived, a newer version", byVersion,
			ObjectInfo{VersionID: "v2"},
			ErrObjectArchived, v1, OutcomeRedirected,
			[]string{object, version},
		},
		{
			"overwritten under a customer's key", byETag,
			ObjectInfo{},
			ErrObjectEncrypted, nil, OutcomeObjectChanged,
			[]string{object},
		},
		{
			"a newer version under a customer's key", byVersion,
			ObjectInfo{},
			ErrObjectEncrypted, v1, OutcomeRedirected,
			[]string{object, version},
		},
		{
			"a key of KMS that is denied", byETag,
			ObjectInfo{ETag: `"e"`},
			ErrObjectKMS, nil, OutcomeUnavailable,
			[]string{object},
		},
		{"archived, no pin", Permission{}, ObjectInfo{}, ErrObjectArchived, nil, OutcomeRedirected, nil},
		{"the storage is away", byVersion, ObjectInfo{}, ErrUnavailable, v1, OutcomeUnavailable, []string{object}},
	}
	for _, tt := range tests {
		for _, method := range []string{"GET", "HEAD", "POST"} {
			t.Run(tt.name+" "+method, func(t *testing.T) {
				t.Parallel()
				f := newFixture(t, nil)
				f.objects.info, f.objects.err, f.objects.versions = tt.current, tt.err, tt.versions
				f.clicks.admission = admitted(tt.permission)
				answer, err := f.service.Click(t.Context(), Attempt{Method: method})
				f.service.Wait()
				if answer.Outcome != tt.want || (err == nil) != (tt.want == OutcomeRedirected) {
					t.Errorf("got %+v, %v; want %s", answer, err, tt.want)
				}
				if got := f.objects.stats(); !slices.Equal(got, tt.asked) {
					t.Errorf("asked %v, want %v", got, tt.asked)
				}
				if tt.want == OutcomeRedirected {
					return
				}
				if answer.Location != "" || len(f.signer.requests) != 0 {
					t.Errorf("signed %v", f.signer.requests)
				}
				if !slices.Equal(f.clicks.noted, []string{"failed " + string(tt.want)}) {
					t.Errorf("noted %v, want %s", f.clicks.noted, tt.want)
				}
			})
		}
	}
}

// The check and the credential together wait for no longer than the storage's
// timeout, and a credential that is late counts from the link's life.
func TestClickWaitsForTheStorageOnce(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil)
	f.clicks.admission = admitted(Permission{Pin: PinETag, ETag: `"e"`})
	var deadlines []time.Time
	f.service.storage("main").Presigner = presignerFunc(func(ctx context.Context) error {
		deadline, _ := ctx.Deadline()
		deadlines = append(deadlines, deadline)
		return nil
	})
	release := make(chan struct{})
	f.objects.wait = func() { <-release }
	f.service.storage("main").Timeout = 20 * time.Millisecond
	answer, err := f.service.Click(t.Context(), Attempt{Method: "GET"})
	close(release)
	f.service.Wait()
	if answer.Outcome != OutcomeUnavailable || !errors.Is(err, context.DeadlineExceeded) || len(deadlines) != 0 {
		t.Errorf("got %+v, %v and signed by %v", answer, err, deadlines)
	}
}

// presignerFunc is a Presigner that judges its context.
type presignerFunc func(context.Context) error

func (f presignerFunc) Presign(ctx context.Context, _ signer.Request) (signer.Signed, error) {
	return signer.Signed{}, f(ctx)
}

func (presignerFunc) Origin(string) (string, bool) { return "", false }

// BenchmarkCompare shows what the pin costs a click: nothing without one, a look
// at the remembered check with one. A cold check is a HEAD of the storage.
func BenchmarkCompare(b *testing.B) {
	for _, pin := range []string{PinNone, PinETag, PinVersion} {
		b.Run(pin, func(b *testing.B) {
			objects := &stubObjects{info: ObjectInfo{ETag: `"e"`, VersionID: "v1"}}
			s := &Service{checks: newChecks(time.Hour, time.Now)}
			storage := &Storage{Name: "main", Objects: objects}
			permissions := make([]Permission, 5000)
			for i := range permissions {
				permissions[i] = Permission{
					Pin: pin, ETag: `"e"`, VersionID: "v1", Ref: ObjectRef{"main", "reports", fmt.Sprintf("exports/2026/%060d", i)},
				}
			}
			i := 0
			b.ReportAllocs()
			for b.Loop() {
				if err := s.compare(b.Context(), storage, &permissions[i%len(permissions)]); err != nil {
					b.Fatal(err)
				}
				i++
			}
		})
	}
}
