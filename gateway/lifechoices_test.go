package gateway

import (
	"errors"
	"testing"
	"time"
)

// sharer is an actor that may share the exports, for a limited time.
func sharer(longest time.Duration) *Actor {
	return &Actor{Name: "ops", Can: []Action{ActionIssue}, Objects: []Pattern{"exports/*"}, MaxExpiry: longest}
}

// livesOf returns the lives of an object in the bucket exports.
func livesOf(t *testing.T, f *fixture, actor *Actor, key string, sensitive *bool) LifeChoices {
	t.Helper()
	lives, err := f.service.LifeChoices(actor, ObjectRef{Storage: "main", Bucket: "exports", Key: key}, sensitive)
	if err != nil {
		t.Fatal(err)
	}
	return lives
}

// Presets that are refused say why, and the longest life names its rule.
func TestLifeChoices(t *testing.T) {
	t.Parallel()
	f := newFixture(t, func(o *Options) { o.Policy.PassphraseMin = 12 })
	for name, tt := range map[string]struct {
		own       time.Duration
		key       string
		sensitive *bool
		preset    string
		life      time.Duration
		longest   time.Duration
		rule      string
		refused   map[string]string
	}{
		"not stated": {
			0, "a", nil, PresetTroubleshooting, time.Hour, 24 * time.Hour,
			`sensitivity was not stated; with "sensitive": false it may live for up to 7d`,
			map[string]string{
				PresetExtended: `the preset extended needs the statement that the object is not sensitive; ` +
					`send "sensitive": false`,
			},
		},
		"not sensitive": {
			0, "a", new(false), PresetBusiness, 24 * time.Hour, 168 * time.Hour, "policy.caps.not_sensitive", nil,
		},
		"sensitive by policy": {
			0, "invoices/a", nil, PresetHandoff, 15 * time.Minute, 24 * time.Hour, "the object is sensitive",
			map[string]string{PresetExtended: "the preset extended is not allowed for sensitive objects; use another preset"},
		},
		"a limit of the key": {
			30 * time.Minute, "a", new(false), PresetBusiness, 30 * time.Minute, 30 * time.Minute,
			"max_expiry of this key",
			map[string]string{
				PresetTroubleshooting: "1h is over the limit of 30m (max_expiry of this key)",
				PresetBusiness:        "24h is over the limit of 30m (max_expiry of this key)",
				PresetExtended:        "7d is over the limit of 30m (max_expiry of this key)",
			},
		},
	} {
		got := livesOf(t, f, sharer(tt.own), tt.key, tt.sensitive)
		if got.Default != (Preset{tt.preset, tt.life}) || got.Longest.Life != tt.longest || got.Longest.Rule != tt.rule ||
			got.Refused != nil || got.PassphraseMin != 12 {
			t.Errorf("%s: got %+v", name, got)
		}
		for i, choice := range got.Presets {
			why := ""
			if choice.Refused != nil {
				why = choice.Refused.Message
			}
			if choice.Name != Presets()[i] || choice.Life == 0 || why != tt.refused[choice.Name] {
				t.Errorf("%s: preset %s: %q, want %q", name, choice.Name, why, tt.refused[choice.Name])
			}
		}
	}
	shorter := Policy{MaxExpiry: time.Minute, Caps: Caps{time.Hour, time.Hour, time.Hour}}
	shorter.Presets = map[string]time.Duration{
		PresetHandoff: time.Hour, PresetTroubleshooting: time.Hour, PresetBusiness: time.Hour, PresetExtended: time.Hour,
	}
	f.service.SetPolicy(shorter)
	got := livesOf(t, f, sharer(0), "a", new(true))
	if got.Default.Life != time.Minute || got.Longest.Rule != "policy.max_expiry" ||
		got.Presets[0].Refused.Message != "1h is over the limit of 1m (policy.max_expiry)" {
		t.Errorf("after a change of the policy: %+v", got)
	}
}

// An answer that the policy contradicts is refused, and the lives are those of a sensitive
// object.
func TestLifeChoicesOfSensitiveObject(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil)
	got := livesOf(t, f, sharer(0), "invoices/a", new(false))
	if got.Refused == nil || got.Refused.Field != "sensitive" || got.Refused.Code != "sensitive_object" ||
		got.Sensitive == nil || !*got.Sensitive || got.Longest.Life != 24*time.Hour || len(got.Presets) != len(Presets()) {
		t.Errorf("got %+v", got)
	}
}

// LifeChoices refuses the actors that an issue refuses, so it tells nobody which objects are
// sensitive.
func TestLifeChoicesNeedScope(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil)
	for want, actor := range map[Code]*Actor{
		CodeForbidden: {Can: []Action{ActionRead}, Objects: []Pattern{"*"}}, CodeOutOfScope: sharer(0),
	} {
		_, err := f.service.LifeChoices(actor, ObjectRef{Storage: "main", Bucket: "reports", Key: "a"}, nil)
		if refused, ok := errors.AsType[*Error](err); !ok || refused.Code != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

// Every life that LifeChoices allows can be issued, and no other.
func TestLifeChoicesAgreeWithIssue(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil)
	for _, own := range []time.Duration{0, time.Hour, 48 * time.Hour} {
		for _, key := range []string{"a", "invoices/a"} {
			for _, sensitive := range []*bool{nil, new(false), new(true)} {
				lives := livesOf(t, f, sharer(own), key, sensitive)
				request := IssueRequest{Bucket: "exports", Key: key, Sensitive: sensitive, DryRun: true}
				for _, choice := range lives.Presets {
					request.Preset, request.ExpiresIn = choice.Name, ""
					_, err := f.service.Issue(t.Context(), sharer(own), &request)
					if allowed := choice.Refused == nil && lives.Refused == nil; allowed != (err == nil) {
						t.Errorf("%s of %s, max %s: allowed %v, issue: %v", choice.Name, key, own, allowed, err)
					}
				}
				for over, ok := range map[time.Duration]bool{0: lives.Refused == nil, time.Second: false} {
					request.Preset, request.ExpiresIn = "", FormatLife(lives.Longest.Life+over)
					if _, err := f.service.Issue(t.Context(), sharer(own), &request); ok != (err == nil) {
						t.Errorf("%s of %s, max %s: %v", request.ExpiresIn, key, own, err)
					}
				}
			}
		}
	}
	if len(f.store.created) > 0 {
		t.Errorf("a dry run created %d links", len(f.store.created))
	}
}

// A dry run proves the object and tells what the storage reports about it.
func TestDryRunProvesTheObject(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil)
	f.objects.info = ObjectInfo{
		Size: 7, ETag: `"e"`, VersionID: "v1", ContentType: "text/csv",
		LastModified: time.Date(2026, 11, 1, 2, 3, 4, 0, time.UTC),
	}
	request := IssueRequest{Bucket: "exports", Key: "a/b.csv", DryRun: true}
	issued, err := f.service.Issue(t.Context(), sharer(0), &request)
	want := ObjectRef{Storage: "main", Bucket: "exports", Key: "a/b.csv"}
	if err != nil || issued.Token != "" || issued.Link.Object != f.objects.info || issued.Link.Ref != want {
		t.Errorf("got %+v, %v", issued, err)
	}
	for cause, code := range map[error]string{
		ErrObjectNotFound: "object_not_found", ErrObjectArchived: "object_archived", ErrObjectEncrypted: "object_encrypted",
	} {
		f.objects.err = cause
		_, err := f.service.Issue(t.Context(), sharer(0), &request)
		if field := refusedField(err); field == nil || field.Field != "key" || field.Code != code {
			t.Errorf("%v: got %v", cause, err)
		}
	}
	if len(f.store.created) > 0 {
		t.Errorf("a dry run created %d links", len(f.store.created))
	}
}
