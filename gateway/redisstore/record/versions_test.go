package record

import (
	"encoding/hex"
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"keyhole/gateway"
)

// The bodies of the permission and the history that the previous version (commit 64e3d71)
// wrote for the link of golden, in hex.
const (
	goldenPermission = "046d61696e077265706f7274731b6578706f7274732f323032362fc3a974c3a9202620636f2e7064660276310b73756d" +
		"6d6172792e706466618240"
	goldenHistory = "046d61696e077265706f7274731b6578706f7274732f323032362fc3a974c3a9202620636f2e70646680e497d01201d4" +
		"1d8cd98f00b204e9800998ecf8427e0276318240809494caca330768616e646f66660205616c6963650b73756d6d6172" +
		"792e706466610776657273696f6e10666f72207468652061756469746f727302047465616d056175646974067469636b" +
		"6574034b2d31"
)

// golden returns a link with every field except restrictions.
func golden() gateway.Link {
	sensitive := true
	return gateway.Link{
		Ref: gateway.ObjectRef{Storage: "main", Bucket: "reports", Key: "exports/2026/été & co.pdf"}, Sensitive: &sensitive,
		Object: gateway.ObjectInfo{
			Size: 5_000_000_000, ETag: `"d41d8cd98f00b204e9800998ecf8427e"`, VersionID: "v1",
			ContentType: "application/pdf", LastModified: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC),
		},
		Preset: "handoff", CreatedBy: "alice", Filename: "summary.pdf", Disposition: gateway.DispositionAttachment,
		Pin:  gateway.PinVersion,
		Note: "for the auditors", Labels: map[string]string{"team": "audit", "ticket": "K-1"},
	}
}

// TestVersionsSideBySide compares records with those of the previous version. A link
// without restrictions is written unchanged, so that each version serves the links of the
// other. A link with any restriction has a version that the previous one refuses.
func TestVersionsSideBySide(t *testing.T) {
	link := golden()
	if n := VersionOf(&link); n != Plain {
		t.Errorf("a plain link is of version %d", n)
	}
	if got := hex.EncodeToString(PermissionBody(&link, &gateway.Secrets{})); got != goldenPermission {
		t.Errorf("the permission is\n%s, and was\n%s", got, goldenPermission)
	}
	if got := hex.EncodeToString(HistoryBody(&link, Plain)); got != goldenHistory {
		t.Errorf("the history is\n%s, and was\n%s", got, goldenHistory)
	}
	for name, restrict := range map[string]func(*gateway.Link){
		"max_clicks": func(l *gateway.Link) { l.MaxClicks = 1 },
		"passphrase": func(l *gateway.Link) { l.Passphrase = true },
		"confirm":    func(l *gateway.Link) { l.Confirm = true },
		"allow":      func(l *gateway.Link) { l.Allow = []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")} },
		"not_before": func(l *gateway.Link) { l.NotBefore = time.Unix(1, 0) },
	} {
		link := golden()
		restrict(&link)
		if n := VersionOf(&link); n != Restricted {
			t.Errorf("a link with %s is of version %d, which the version before serves without it", name, n)
		}
	}
	for name, extend := range map[string]func(*gateway.Link){
		"reveal":   func(l *gateway.Link) { l.Passphrase, l.Reveal = true, gateway.RevealBefore },
		"language": func(l *gateway.Link) { l.Language = "de" },
		"sender":   func(l *gateway.Link) { l.Sender = "Anna" },
	} {
		link := golden()
		extend(&link)
		if n := VersionOf(&link); n != Extended {
			t.Errorf("a link with %s is of version %d, which the version before serves without it", name, n)
		}
	}
	for _, stated := range []gateway.Link{{Passphrase: true, Reveal: gateway.RevealAfter}, {Passphrase: true}} {
		if n := VersionOf(&stated); n != Restricted {
			t.Errorf("a link that reveals its file after the passphrase is of version %d", n)
		}
	}
	// A later version is refused.
	for _, format := range []string{"\x00", "\x04", "\xff"} {
		_, err := parseHead(format + "\x00" + string(make([]byte, 17)))
		if !errors.Is(err, gateway.ErrRecord) {
			t.Errorf("a permission of version %q: %v", format, err)
		}
	}
}

// TestExtension reads the fields of version 3, and refuses an unknown action and an
// unknown reveal.
func TestExtension(t *testing.T) {
	link := golden()
	link.Passphrase, link.Reveal, link.Language, link.Sender = true, gateway.RevealBefore, "ar", "Anna"
	head := string([]byte{Extended, 0}) + strings.Repeat("\x01", 6*4+5+10)
	body := string(HistoryBody(&link, Extended))
	read, err := View{History: head + body}.Link(link.ID)
	if err != nil || read.Reveal != link.Reveal || read.Language != "ar" || read.Sender != "Anna" ||
		read.Action != gateway.LinkDownload {
		t.Fatalf("read %+v, %v", read, err)
	}
	extension := string(appendExtension(nil, &link))
	for name, other := range map[string]string{
		"another action": "u" + extension[1:],
		"another choice": extension[:1] + "\x03" + extension[2:],
		"cut short":      extension[:len(extension)-1],
		"too long":       extension + "x",
	} {
		_, err := View{History: head + strings.TrimSuffix(body, extension) + other}.Link(link.ID)
		if !errors.Is(err, gateway.ErrRecord) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for flags := range 8 {
		permission := string([]byte{Extended, byte(flags)}) + strings.Repeat("\x00", 17)
		if _, err := parseHead(permission); (err == nil) != (flags < 4) {
			t.Errorf("flags %d: %v", flags, err)
		}
	}
}
