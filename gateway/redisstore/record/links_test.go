package record

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"keyhole/gateway"
)

// now is the time of the views in these tests, in Unix milliseconds.
const now = 1_800_000_000_000

// fullLink returns a link with every field that a record stores.
func fullLink() gateway.Link {
	link := golden()
	link.Passphrase, link.Confirm, link.Reveal = true, true, gateway.RevealBefore
	link.MaxClicks, link.Language, link.Sender = 3, "ar", "Anna"
	link.Allow = []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("2001:db8::/33")}
	link.NotBefore = time.UnixMilli(now - 5000).UTC()
	return link
}

// headOf packs a permission's head as the scripts do.
func headOf(version byte, flags int, expires, notBefore, clicks int64) string {
	return string([]byte{version}) + bigEndian(int64(flags), 1) + bigEndian(expires, 6) +
		bigEndian(notBefore, 6) + bigEndian(clicks, 5)
}

// historyOf packs a history as the scripts do.
func historyOf(link *gateway.Link, end byte, created, expires, ended, forgotten, clicks int64) string {
	version := VersionOf(link)
	return string([]byte{version, end}) + bigEndian(created, 6) + bigEndian(expires, 6) + bigEndian(ended, 6) +
		bigEndian(forgotten, 6) + bigEndian(clicks, 5) + Place(created, 7) + string(HistoryBody(link, version))
}

// bigEndian packs a number into width bytes.
func bigEndian(n int64, width int) string {
	b := make([]byte, width)
	for i := range b {
		b[i] = byte(n >> (8 * (width - 1 - i))) //nolint:gosec // One byte of the number.
	}
	return string(b)
}

// text prints a link with its pointer resolved, so that links can be compared.
func text(l gateway.Link) string {
	sensitive := "unstated"
	if l.Sensitive != nil {
		sensitive = fmt.Sprint(*l.Sensitive)
		l.Sensitive = nil
	}
	return fmt.Sprintf("%+v sensitive=%s", l, sensitive)
}

// TestHistories writes links with every combination of optional fields and reads them
// back unchanged.
func TestHistories(t *testing.T) {
	yes, no := true, false
	for name, change := range map[string]func(*gateway.Link){
		"plain":                 func(*gateway.Link) {},
		"sensitive not stated":  func(l *gateway.Link) { l.Sensitive = nil },
		"not sensitive":         func(l *gateway.Link) { l.Sensitive = &no },
		"sensitive":             func(l *gateway.Link) { l.Sensitive = &yes },
		"no labels":             func(l *gateway.Link) { l.Labels = nil },
		"an empty label":        func(l *gateway.Link) { l.Labels = map[string]string{"": ""} },
		"many labels":           func(l *gateway.Link) { l.Labels = manyLabels() },
		"inline":                func(l *gateway.Link) { l.Disposition = gateway.DispositionInline },
		"no disposition":        func(l *gateway.Link) { l.Disposition = "" },
		"odd bytes in a note":   func(l *gateway.Link) { l.Note = "\x00\xff\r\n\u202e" },
		"a long key":            func(l *gateway.Link) { l.Ref.Key = strings.Repeat("k", 1024) },
		"an empty object":       func(l *gateway.Link) { l.Object = gateway.ObjectInfo{} },
		"a large object":        func(l *gateway.Link) { l.Object.Size = 1 << 62 },
		"an ETag of parts":      func(l *gateway.Link) { l.Object.ETag = `"d41d8cd98f00b204e9800998ecf8427e-12"` },
		"an unknown type":       func(l *gateway.Link) { l.Object.ContentType = "application/x-unknown; a=b" },
		"confirmation":          func(l *gateway.Link) { l.Confirm = true },
		"a click limit":         func(l *gateway.Link) { l.MaxClicks = 1 },
		"a large click limit":   func(l *gateway.Link) { l.MaxClicks = 1<<40 - 1 },
		"a start":               func(l *gateway.Link) { l.NotBefore = time.UnixMilli(now - 1).UTC() },
		"IPv4 prefixes":         func(l *gateway.Link) { l.Allow = prefixes("0.0.0.0/0", "192.0.2.1/32") },
		"IPv6 prefixes":         func(l *gateway.Link) { l.Allow = prefixes("::/0", "2001:db8::1/128") },
		"revealed before":       func(l *gateway.Link) { l.Passphrase, l.Reveal = true, gateway.RevealBefore },
		"a language":            func(l *gateway.Link) { l.Language = "de" },
		"a sender":              func(l *gateway.Link) { l.Sender = "Ünal" },
		"every field":           func(l *gateway.Link) { *l = fullLink() },
		"only a reference":      func(l *gateway.Link) { *l = gateway.Link{Ref: l.Ref} },
		"a preset without note": func(l *gateway.Link) { l.Note, l.Preset = "", "extended" },
	} {
		t.Run(name, func(t *testing.T) {
			want := golden()
			change(&want)
			view := View{
				Now: now, History: historyOf(&want, endNone, now-1000, now+1000, 0, now+5000, 0),
				Permission: headOf(VersionOf(&want), PermissionFlags(&want), now+1000, 0, 2),
			}
			got, err := view.Link(want.ID)
			if err != nil {
				t.Fatal(err)
			}
			want.State, want.Clicks = gateway.StateActive, 2
			want.CreatedAt, want.ExpiresAt = time.UnixMilli(now-1000).UTC(), time.UnixMilli(now+1000).UTC()
			want.Revision = Place(now-1000, 7)
			FillDefaults(&want)
			if g, w := text(got), text(want); g != w {
				t.Errorf("read\n%s, wrote\n%s", g, w)
			}
		})
	}
}

func prefixes(all ...string) (parsed []netip.Prefix) {
	for _, s := range all {
		parsed = append(parsed, netip.MustParsePrefix(s))
	}
	return parsed
}

func manyLabels() map[string]string {
	labels := map[string]string{}
	for i := range 200 {
		labels[fmt.Sprint("label-", i)] = strings.Repeat("v", i)
	}
	return labels
}

// TestSameHistory writes the same link twice: the labels have one order, so that a change
// can compare histories.
func TestSameHistory(t *testing.T) {
	link := golden()
	link.Labels = manyLabels()
	first := string(HistoryBody(&link, Plain))
	for range 20 {
		if string(HistoryBody(&link, Plain)) != first {
			t.Fatal("two histories of one link differ")
		}
	}
}

// TestPermissions writes permissions and reads what a click needs.
func TestPermissions(t *testing.T) {
	link := fullLink()
	secrets := gateway.Secrets{Passphrase: "$argon2id$"}
	copy(secrets.Key[:], "0123456789abcdef0123456789abcdef")
	for _, tt := range []struct {
		name, pin              string
		wantPin, version, etag string
	}{
		{"version", gateway.PinVersion, gateway.PinVersion, "v1", ""},
		{"ETag", gateway.PinETag, gateway.PinETag, "", link.Object.ETag},
		{"none", gateway.PinNone, gateway.PinNone, "", ""},
	} {
		for _, restricted := range []bool{false, true} {
			link := link
			want := gateway.Permission{Secrets: secrets}
			if !restricted {
				link, want = golden(), gateway.Permission{}
			}
			link.Pin = tt.pin
			version := VersionOf(&link)
			packed := headOf(version, PermissionFlags(&link), now+90_000, 0, 0) +
				string(PermissionBody(&link, &secrets))
			var got gateway.Permission
			if err := readPermission(&got, packed, now); err != nil {
				t.Fatalf("%s: %v", tt.name, err)
			}
			want.Remaining, want.Ref, want.Filename = 90*time.Second, link.Ref, link.Filename
			want.Disposition, want.ContentType = link.Disposition, link.Object.ContentType
			want.Pin, want.VersionID, want.ETag = tt.wantPin, tt.version, tt.etag
			if g, w := fmt.Sprintf("%+v", got), fmt.Sprintf("%+v", want); g != w {
				t.Errorf("%s, restricted %v: read\n%s, want\n%s", tt.name, restricted, g, w)
			}
		}
	}
}

// TestRestrictionsInPermission holds the bytes that lua/judge.lua reads: the click limit,
// the length of the prefixes, and the prefixes.
func TestRestrictionsInPermission(t *testing.T) {
	link := golden()
	link.MaxClicks, link.Allow = 258, prefixes("192.0.2.0/24")
	body := string(PermissionBody(&link, &gateway.Secrets{}))
	const want = "\x00\x00\x00\x01\x02" + "\x00\x06" + "4\x18\xc0\x00\x02\x00"
	if !strings.HasPrefix(body, want) {
		t.Errorf("the permission begins with %q, want %q", body[:len(want)], want)
	}
}

// TestCheckLink refuses links that records or indexes could confuse.
func TestCheckLink(t *testing.T) {
	good := fullLink()
	if err := CheckLink(&good); err != nil {
		t.Errorf("a good link: %v", err)
	}
	for name, tt := range map[string]struct {
		change func(*gateway.Link)
		says   string
	}{
		"bucket":      {func(l *gateway.Link) { l.Ref.Bucket = "a\x00" }, "NUL"},
		"key":         {func(l *gateway.Link) { l.Ref.Key = "\x00a" }, "NUL"},
		"label name":  {func(l *gateway.Link) { l.Labels = map[string]string{"a\x00b": ""} }, "label"},
		"disposition": {func(l *gateway.Link) { l.Disposition = "form-data" }, "form-data"},
		"action":      {func(l *gateway.Link) { l.Action = "upload" }, "upload"},
	} {
		link := fullLink()
		tt.change(&link)
		if err := CheckLink(&link); err == nil || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%s: %v, want an error about %s", name, err, tt.says)
		}
	}
	value := fullLink()
	value.Labels = map[string]string{"a": "\x00"}
	if err := CheckLink(&value); err != nil {
		t.Errorf("NUL in the value of a label: %v", err)
	}
}

// TestOtherActionIsFlagged gives the permission of a link that is not for downloads a
// flag that no reader of this version accepts, beside the flag for confirmation.
func TestOtherActionIsFlagged(t *testing.T) {
	for _, link := range []gateway.Link{golden(), fullLink()} {
		for action, ok := range map[gateway.LinkAction]bool{"": true, gateway.LinkDownload: true, "upload": false} {
			link.Action = action
			_, err := parseHead(headOf(Extended, PermissionFlags(&link), now+1000, 0, 0))
			if (err == nil) != ok || err != nil && !errors.Is(err, gateway.ErrRecord) {
				t.Errorf("action %q, confirmation %v: %v", action, link.NeedsConfirmation(), err)
			}
		}
	}
}

// TestFillDefaults sets what old records do not store, and nothing else.
func TestFillDefaults(t *testing.T) {
	for _, tt := range []struct {
		passphrase   bool
		reveal, want string
	}{
		{false, "", ""},
		{true, "", gateway.RevealAfter},
		{true, gateway.RevealAfter, gateway.RevealAfter},
		{true, gateway.RevealBefore, gateway.RevealBefore},
		{false, gateway.RevealBefore, gateway.RevealBefore},
	} {
		link := gateway.Link{Passphrase: tt.passphrase, Reveal: tt.reveal}
		FillDefaults(&link)
		if link.Reveal != tt.want || link.Action != gateway.LinkDownload {
			t.Errorf("%+v: reveal %q, action %q", tt, link.Reveal, link.Action)
		}
	}
}
