package convert

import (
	"encoding/json"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"keyhole/gateway"
	"keyhole/gateway/api"
)

// someday is a time that is not in UTC.
func someday() time.Time { return time.Date(2026, 11, 2, 3, 4, 5, 6e6, time.FixedZone("", 3600)) }

// A link that nobody has used has no time of its last use.
func TestLastUse(t *testing.T) {
	t.Parallel()
	used := someday()
	got := Link(&gateway.Link{LastUsedAt: used}).LastUsedAt
	if got == nil || !got.Equal(used) || got.Location() != time.UTC {
		t.Errorf("got %v, want %v in UTC", got, used)
	}
	if got := Link(&gateway.Link{}).LastUsedAt; got != nil {
		t.Errorf("an unused link was used at %v", got)
	}
}

// Lists and objects of the JSON are never null.
func TestNoNullLists(t *testing.T) {
	t.Parallel()
	for name, value := range map[string]any{
		"link": Link(&gateway.Link{}), "links": LinkPage(&gateway.ListPage{}), "events": EventPage(&gateway.EventList{}),
		"audit": AuditPage(&gateway.AuditPage{}), "objects": ObjectPage("b", &gateway.ObjectsPage{}),
		"buckets": api.BucketList{Buckets: Buckets(nil)}, "operator": Operator(&gateway.Actor{}, &gateway.Limits{}, "1"),
		"notes": api.Erasure{Remains: Notes(nil)},
	} {
		text, err := json.Marshal(value)
		if err != nil {
			t.Fatal(err)
		}
		for _, list := range []string{
			"labels", "allow", "warnings", "notes", "links", "events", "objects", "folders", "buckets", "can", "presets",
			"remains",
		} {
			if strings.Contains(string(text), `"`+list+`":null`) {
				t.Errorf("%s: %s is null in %s", name, list, text)
			}
		}
	}
}

// Every field of a link that the domain has arrives in the API.
func TestLink(t *testing.T) {
	t.Parallel()
	l := gateway.Link{
		State: gateway.StateRevoked, Ref: gateway.ObjectRef{Storage: "s", Bucket: "b", Key: "a/k.csv"},
		Object: gateway.ObjectInfo{
			Size: 7, ETag: `"e"`, VersionID: "v", ContentType: "text/csv", LastModified: someday(),
		},
		Preset: "handoff", Sensitive: new(true), CreatedAt: someday(), ExpiresAt: someday(), CreatedBy: "alice",
		Clicks: 2, MaxClicks: 3, LastUsedAt: someday(), Confirm: true, Passphrase: true, Reveal: gateway.RevealAfter,
		NotBefore: someday(), Allow: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")},
		Disposition: gateway.DispositionInline, Pin: gateway.PinVersion, Language: "de", Note: "n",
		Labels: map[string]string{"team": "7"}, RevokedAt: someday(), RevokedBy: "bob", RevokeReason: "leak",
		Warnings: []gateway.Warning{{Code: "w", Message: "warning"}}, Notes: []gateway.Note{{Code: "n", Message: "note"}},
	}
	l.ID[0] = 1
	at := someday().UTC()
	want := api.Link{
		ID: l.ID.String(), State: "revoked", Storage: "s", Bucket: "b", Key: "a/k.csv",
		Object: api.Object{
			Size: new(int64(7)), ETag: `"e"`, VersionID: "v", ContentType: "text/csv", LastModified: &at,
		},
		Preset: "handoff", Sensitive: new(true), CreatedAt: at, ExpiresAt: at, CreatedBy: "alice",
		Clicks: 2, MaxClicks: new(int64(3)), LastUsedAt: &at, Confirm: true, Passphrase: true, Reveal: "after",
		NotBefore: &at, Allow: []string{"192.0.2.0/24"}, Filename: "k.csv", Disposition: "inline", Pin: "version",
		Language: "de", Note: "n", Labels: map[string]string{"team": "7"}, RevokedAt: &at, RevokedBy: "bob",
		RevokeReason: "leak", Warnings: []api.Warning{{Code: "w", Message: "warning"}},
		Notes: []api.Note{{Code: "n", Message: "note"}},
	}
	if got := Link(&l); !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v\nwant %+v", got, want)
	}
	bare := Link(&gateway.Link{Object: gateway.ObjectInfo{Size: gateway.UnknownSize}})
	if bare.MaxClicks != nil || bare.Object.Size != nil || bare.Reveal != "before" || bare.NotBefore != nil {
		t.Errorf("a bare link is %+v", bare)
	}
}

// Every field of a request that the API has arrives in the domain.
func TestIssueRequest(t *testing.T) {
	t.Parallel()
	body := api.IssueRequest{IdempotencyKey: "handled by the caller"}
	fill(reflect.ValueOf(&body).Elem())
	got := reflect.ValueOf(IssueRequest(&body))
	from := reflect.ValueOf(body)
	for i := range from.NumField() {
		name := from.Type().Field(i).Name
		if name == "IdempotencyKey" {
			continue
		}
		if to := got.FieldByName(name); !reflect.DeepEqual(to.Interface(), from.Field(i).Interface()) {
			t.Errorf("%s: got %v, want %v", name, to.Interface(), from.Field(i).Interface())
		}
	}
}

// fill gives every field of a struct a value that is not zero.
func fill(v reflect.Value) {
	for i := range v.NumField() {
		field := v.Field(i)
		switch field.Kind() {
		case reflect.String:
			field.SetString(v.Type().Field(i).Name)
		case reflect.Bool:
			field.SetBool(true)
		case reflect.Pointer:
			field.Set(reflect.New(field.Type().Elem()))
		case reflect.Slice:
			field.Set(reflect.MakeSlice(field.Type(), 1, 1))
		case reflect.Map:
			field.Set(reflect.MakeMap(field.Type()))
		}
	}
}

// Only events of a link name a link, and only those of the audit name its object.
func TestEvents(t *testing.T) {
	t.Parallel()
	event := gateway.Event{
		ID: "e1", Time: someday(), Kind: gateway.EventRefused, Outcome: gateway.OutcomeExpired, Method: "GET",
		Actor: "alice", Address: "192.0.2.7", Reason: "r",
	}
	event.Link[0] = 1
	want := api.Event{
		ID: "e1", Time: someday().UTC(), Kind: "refused", Link: event.Link.String(), Outcome: "expired", Method: "GET",
		Actor: "alice", Address: "192.0.2.7", Reason: "r",
	}
	if got := EventPage(&gateway.EventList{Events: []gateway.Event{event}, Next: "n"}); got.Next != "n" ||
		!slices.Equal(got.Events, []api.Event{want}) {
		t.Errorf("got %+v", got)
	}
	ref := gateway.ObjectRef{Storage: "s", Bucket: "b", Key: "k"}
	page := AuditPage(&gateway.AuditPage{
		Events: []gateway.AuditEvent{{Event: event, Ref: ref}, {Event: gateway.Event{Kind: gateway.EventSignedIn}}},
		Next:   "n", More: true, Searched: 9,
	})
	want.Storage, want.Bucket, want.Key = "s", "b", "k"
	if page.Next != "n" || !page.More || page.Searched != 9 || page.Events[0] != want || page.Events[1].Link != "" {
		t.Errorf("got %+v", page)
	}
	if last := AuditPage(&gateway.AuditPage{Searched: 9}); last.Searched != 0 {
		t.Errorf("the last page says that it searched %d events", last.Searched)
	}
}

// Objects and buckets keep their names, and unknown facts are null.
func TestObjects(t *testing.T) {
	t.Parallel()
	got := ObjectPage("b", &gateway.ObjectsPage{
		Storage: "s", Folders: []string{"a/"}, Next: "n",
		Objects: []gateway.ObjectEntry{
			{Key: "k", Size: 7, ETag: "e", LastModified: someday(), StorageClass: "GLACIER", Sensitive: true},
			{Key: "l", Size: gateway.UnknownSize},
		},
	})
	want := api.ObjectPage{
		Storage: "s", Bucket: "b", Folders: []string{"a/"}, Next: "n",
		Objects: []api.ObjectEntry{
			{
				Key: "k", Size: new(int64(7)), ETag: "e", LastModified: new(someday().UTC()), StorageClass: "GLACIER",
				Sensitive: true,
			},
			{Key: "l"},
		},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if got := ObjectPage("b", &gateway.ObjectsPage{}); got.Next != "" || len(got.Folders)+len(got.Objects) > 0 {
		t.Errorf("an empty page is %+v", got)
	}
	buckets := Buckets([]gateway.Bucket{{Storage: "s", Name: "b"}})
	if !slices.Equal(buckets, []api.Bucket{{Storage: "s", Bucket: "b"}}) {
		t.Errorf("got %+v", buckets)
	}
}

// Lives of an operator have the form that a request accepts.
func TestOperator(t *testing.T) {
	t.Parallel()
	actor := gateway.Actor{
		Name: "oidc:alice", DisplayName: "Alice", Token: true, Grant: "staff", Can: []gateway.Action{gateway.ActionRead},
		Objects: []gateway.Pattern{"exports/*"}, MaxExpiry: 48 * time.Hour,
	}
	got := Operator(&actor, &gateway.Limits{
		Caps:    gateway.Caps{Sensitive: time.Hour, NotStated: 24 * time.Hour, NotSensitive: 48 * time.Hour},
		Presets: []gateway.Preset{{Name: "handoff", Life: 15 * time.Minute}},
	}, "1.2.3")
	want := api.Operator{
		Name: "oidc:alice", DisplayName: "Alice", AdmittedBy: api.AdmittedByToken, Grant: "staff", Can: []string{"read"},
		Objects: []string{"exports/*"}, MaxExpiry: new("2d"), Version: "1.2.3",
		Caps:    api.Caps{Sensitive: "1h", NotStated: "24h", NotSensitive: "2d"},
		Presets: []api.Preset{{Name: "handoff", ExpiresIn: "15m"}},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	key := Operator(&gateway.Actor{}, &gateway.Limits{}, "")
	if key.AdmittedBy != api.AdmittedByKey || key.MaxExpiry != nil {
		t.Errorf("got %+v", key)
	}
}

// Notes and warnings keep their codes, which clients compare, and their order.
func TestNotes(t *testing.T) {
	t.Parallel()
	got := Notes([]gateway.Note{{Code: "b", Message: "second"}, {Code: "a", Message: "first"}})
	if !slices.Equal(got, []api.Note{{Code: "b", Message: "second"}, {Code: "a", Message: "first"}}) {
		t.Errorf("got %+v", got)
	}
}
