package api

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"
)

// moment is a time with milliseconds, as the service writes them.
func moment() time.Time { return time.Date(2026, 11, 1, 12, 30, 45, 678e6, time.UTC) }

// TestJSON writes each type with all fields and with none, and reads both back. Clients
// of other versions depend on the names, and on which fields are absent or null.
func TestJSON(t *testing.T) {
	t.Parallel()
	text, number, yes, at := "x", int64(3), true, moment()
	const written = `"2026-11-01T12:30:45.678Z"`
	for name, tt := range map[string]struct {
		value any
		want  string
	}{
		"issue": {
			IssueRequest{
				Storage: "main", Bucket: "reports", Key: "q3.pdf", Preset: "handoff", ExpiresIn: "1h", Sensitive: &yes,
				MaxClicks: &number, Passphrase: &text, Filename: "f.pdf", Disposition: "inline", Confirm: true,
				Reveal: "before", Allow: []string{"192.0.2.0/24"}, NotBefore: &text, Pin: "etag", VersionID: "v",
				Note: "n", Labels: map[string]string{"team": "a"}, IdempotencyKey: "never in the body",
			},
			`{"storage":"main","bucket":"reports","key":"q3.pdf","preset":"handoff","expires_in":"1h",` +
				`"sensitive":true,"max_clicks":3,"passphrase":"x","filename":"f.pdf","disposition":"inline",` +
				`"confirm":true,"reveal":"before","allow":["192.0.2.0/24"],"not_before":"x","pin":"etag",` +
				`"version_id":"v","note":"n","labels":{"team":"a"}}`,
		},
		"issue without options": {IssueRequest{}, `{"bucket":"","key":""}`},
		"change": {
			ChangeRequest{
				ExpiresIn: &text, MaxClicks: &number, Note: &text, Labels: &map[string]string{}, Paused: &yes,
				Allow: &[]string{"192.0.2.7"}, Passphrase: &text, NotBefore: &text, Remove: []string{"allow"},
				IfMatch: "never in the body",
			},
			`{"expires_in":"x","max_clicks":3,"note":"x","labels":{},"paused":true,"allow":["192.0.2.7"],` +
				`"passphrase":"x","not_before":"x","remove":["allow"]}`,
		},
		"change of nothing": {ChangeRequest{}, `{}`},
		"bulk revocation": {
			RevocationRequest{
				Bucket: &text, Prefix: &text, Key: &text, CreatedBy: &text, Label: &text,
				Labels: &map[string]string{"team": "a"}, State: &text, Since: &text, Used: &text, EndsWithin: &text,
				EndsAfter: &text, All: true, Reason: "r", DryRun: true, Cursor: "c",
			},
			`{"bucket":"x","prefix":"x","key":"x","created_by":"x","label":"x","labels":{"team":"a"},"state":"x",` +
				`"since":"x","used":"x","ends_within":"x","ends_after":"x","all":true,"reason":"r","dry_run":true,"cursor":"c"}`,
		},
		"bulk revocation without filters": {RevocationRequest{}, `{}`},
		"its result": {
			Revocation{Matched: 5, Revoked: 4, Unreadable: 1, Next: "n"},
			`{"matched":5,"revoked":4,"unreadable":1,"done":false,"next":"n"}`,
		},
		"its last result": {Revocation{Done: true}, `{"matched":0,"revoked":0,"done":true}`},
		"link": {
			Link{
				ID: "i", URL: "https://dl.example/x", State: "revoked", Storage: "main", Bucket: "reports", Key: "k",
				Object: Object{Size: &number, ETag: `"e"`, VersionID: "v", ContentType: "text/plain", LastModified: &at},
				Preset: "custom", Sensitive: &yes, ExpiresAt: at, CreatedAt: at, CreatedBy: "ci", Clicks: 2,
				LastUsedAt: &at,
				MaxClicks:  &number, Confirm: true, Passphrase: true, Reveal: "after", Filename: "f",
				Disposition: "attachment", Allow: []string{}, NotBefore: &at, Pin: "version", Language: "pl", Note: "n",
				Labels: map[string]string{}, RevokedAt: &at, RevokedBy: "bob", RevokeReason: "r",
				Warnings: []Warning{{"c", "m"}}, Notes: []Note{{"c", "m"}}, ETag: "never in the body",
			},
			`{"id":"i","url":"https://dl.example/x","state":"revoked","storage":"main","bucket":"reports","key":"k",` +
				`"object":{"size":3,"etag":"\"e\"","version_id":"v","content_type":"text/plain","last_modified":` +
				written + `},"preset":"custom","sensitive":true,"expires_at":` + written + `,"created_at":` + written +
				`,"created_by":"ci","clicks":2,"last_used_at":` + written +
				`,"max_clicks":3,"confirm":true,"passphrase":true,"reveal":"after",` +
				`"filename":"f","disposition":"attachment","allow":[],"not_before":` + written + `,"pin":"version",` +
				`"language":"pl","note":"n","labels":{},"revoked_at":` + written + `,"revoked_by":"bob","revoke_reason":"r",` +
				`"warnings":[{"code":"c","message":"m"}],"notes":[{"code":"c","message":"m"}]}`,
		},
		"object without size and time": {
			Object{}, `{"size":null,"etag":"","version_id":"","content_type":"","last_modified":null}`,
		},
		"links":        {LinkPage{Links: []Link{}}, `{"links":[]}`},
		"short page":   {LinkPage{Links: []Link{}, Next: "n", Searched: 5000}, `{"links":[],"next":"n","searched":5000}`},
		"buckets":      {BucketList{Buckets: []Bucket{{"main", "b"}}}, `{"buckets":[{"storage":"main","bucket":"b"}]}`},
		"object entry": {ObjectEntry{Key: "k"}, `{"key":"k","size":null,"etag":"","last_modified":null}`},
		"sensitive object entry": {
			ObjectEntry{Key: "k", Size: &number, ETag: "e", LastModified: &at, StorageClass: "GLACIER", Sensitive: true},
			`{"key":"k","size":3,"etag":"e","last_modified":` + written + `,"storage_class":"GLACIER","sensitive":true}`,
		},
		"objects": {
			ObjectPage{Storage: "main", Bucket: "b", Folders: []string{"a/"}, Objects: []ObjectEntry{}, Next: "n"},
			`{"storage":"main","bucket":"b","folders":["a/"],"objects":[],"next":"n"}`,
		},
		"event of a click": {
			Event{
				ID: "01a2", Time: at, Kind: "redirected", Link: "i", Outcome: "redirected", Method: "GET",
				Address: "192.0.2.1", Storage: "main", Bucket: "b", Key: "k",
			},
			`{"id":"01a2","time":` + written + `,"kind":"redirected","link":"i","outcome":"redirected","method":"GET",` +
				`"address":"192.0.2.1","storage":"main","bucket":"b","key":"k"}`,
		},
		"event of an operator": {
			Event{ID: "01a2", Time: at, Kind: "revoked", Link: "i", Actor: "ci", Reason: "r"},
			`{"id":"01a2","time":` + written + `,"kind":"revoked","link":"i","actor":"ci","reason":"r"}`,
		},
		"event that the audit has dropped": {
			Event{Time: at, Kind: "page", Link: "i"}, `{"time":` + written + `,"kind":"page","link":"i"}`,
		},
		"events": {
			EventPage{Events: []Event{}, Next: "n", More: true, Searched: 7},
			`{"events":[],"next":"n","more":true,"searched":7}`,
		},
		"last events": {EventPage{Events: []Event{}}, `{"events":[]}`},
		"problem": {
			Problem{
				Type: "urn:keyhole:problem:invalid", Title: "Unprocessable Entity", Status: 422, Code: "invalid",
				Detail: "d", Errors: []FieldError{{"key", "required", "m"}},
			},
			`{"type":"urn:keyhole:problem:invalid","title":"Unprocessable Entity","status":422,"code":"invalid",` +
				`"detail":"d","errors":[{"field":"key","code":"required","message":"m"}]}`,
		},
		"problem without fields": {Problem{}, `{"type":"","title":"","status":0,"code":"","detail":""}`},
		"readiness": {
			Readiness{Ready: true, Redis: "ok", Storages: map[string]string{"main": "ok"}},
			`{"ready":true,"redis":"ok","storages":{"main":"ok"}}`,
		},
	} {
		got, err := json.Marshal(tt.value)
		if err != nil || string(got) != tt.want {
			t.Errorf("%s: wrote %s, %v\nwant %s", name, got, err, tt.want)
		}
		if strings.Contains(string(got), "never in the body") {
			t.Errorf("%s: a header is in the body: %s", name, got)
		}
		read := reflect.New(reflect.TypeOf(tt.value))
		if err := json.Unmarshal(got, read.Interface()); err != nil {
			t.Errorf("%s: read: %v", name, err)
		}
		again, err := json.Marshal(read.Elem().Interface())
		if err != nil || string(again) != tt.want {
			t.Errorf("%s: read and wrote %s, %v", name, again, err)
		}
	}
}

// TestFieldNames checks that every field of a body has a name in lower case, so that no
// field is in the JSON by its Go name because its tag was forgotten.
func TestFieldNames(t *testing.T) {
	t.Parallel()
	for _, value := range []any{
		IssueRequest{},
		ChangeRequest{},
		RevocationRequest{},
		Revocation{},
		Link{},
		Object{},
		Warning{},
		Note{},
		LinkPage{},
		Bucket{},
		BucketList{},
		ObjectEntry{},
		ObjectPage{},
		Event{},
		EventPage{},
		Problem{},
		FieldError{},
		Readiness{},
	} {
		kind := reflect.TypeOf(value)
		seen := map[string]bool{}
		for i := range kind.NumField() {
			field := kind.Field(i)
			name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
			if name == "" || name != strings.ToLower(name) {
				t.Errorf("%s.%s has the name %q", kind.Name(), field.Name, name)
			}
			if name != "-" && seen[name] {
				t.Errorf("%s has two fields with the name %q", kind.Name(), name)
			}
			seen[name] = true
		}
	}
}

// TestSecretsAreOptional makes sure that the fields with secrets are absent if they are
// empty: a listing must not show that a field for them exists.
func TestSecretsAreOptional(t *testing.T) {
	t.Parallel()
	for name, value := range map[string]any{"url": Link{}, "passphrase": IssueRequest{}} {
		text, err := json.Marshal(value)
		if err != nil {
			t.Fatal(err)
		}
		var fields map[string]json.RawMessage
		if err := json.Unmarshal(text, &fields); err != nil {
			t.Fatal(err)
		}
		if _, present := fields[name]; present {
			t.Errorf("%s is in %s", name, text)
		}
	}
}

// TestUnknownFields reads answers of a newer service: a client ignores the fields that it
// does not know and keeps the others.
func TestUnknownFields(t *testing.T) {
	t.Parallel()
	var link Link
	if err := json.Unmarshal([]byte(`{"id":"i","action":"download","object":{"etag":"e","tier":"x"}}`),
		&link); err != nil {
		t.Fatal(err)
	}
	if link.ID != "i" || link.Object.ETag != "e" {
		t.Errorf("read %+v", link)
	}
	var page EventPage
	if err := json.Unmarshal([]byte(`{"events":[{"id":"1","kind":"uploaded","size":7}],"total":1}`), &page); err != nil {
		t.Fatal(err)
	}
	if len(page.Events) != 1 || page.Events[0].ID != "1" || page.Events[0].Kind != "uploaded" {
		t.Errorf("read %+v", page)
	}
}
