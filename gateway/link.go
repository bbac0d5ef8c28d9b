package gateway

import (
	"math"
	"net/netip"
	"path"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// State is what a link would answer now.
type State string

// The states of a link. The first end stays: what was revoked does not become
// expired later.
const (
	StateActive  State = "active"
	StatePaused  State = "paused"
	StateNotYet  State = "not_yet"
	StateExpired State = "expired"
	StateRevoked State = "revoked"
	StateUsedUp  State = "used_up"
)

// States lists every State.
func States() []State {
	return []State{StateActive, StatePaused, StateNotYet, StateExpired, StateRevoked, StateUsedUp}
}

// The dispositions of RFC 6266 that a link can ask the storage for.
const (
	DispositionAttachment = "attachment"
	DispositionInline     = "inline"
)

// When a page shows what the file of a link with a passphrase is.
const (
	RevealAfter  = "after"  // the passphrase was right: not before the download
	RevealBefore = "before" // the passphrase is asked for
)

// LinkAction is what a link is for.
type LinkAction string

// LinkDownload is the only action so far.
const LinkDownload LinkAction = "download"

// ObjectRef names one object of one storage.
type ObjectRef struct {
	Storage string // the storage's name in the configuration
	Bucket  string
	Key     string // the object's key, literal bytes
}

// String returns storage:bucket/key, the form that patterns match.
func (r ObjectRef) String() string { return r.Storage + ":" + r.Bucket + "/" + r.Key }

// ObjectInfo is what the storage said of the object when the link was issued.
type ObjectInfo struct {
	Size         int64 // bytes, or UnknownSize
	ETag         string
	VersionID    string // empty where the bucket keeps no versions of it
	ContentType  string
	LastModified time.Time // zero: the storage does not say
}

// UnknownSize is the Size of an object whose storage does not say it.
const UnknownSize = math.MaxInt64

// Link is everything that is known of a link but its token.
type Link struct {
	ID     ID
	State  State
	Ref    ObjectRef
	Object ObjectInfo

	Preset    string // name of the preset, or PresetCustom
	Sensitive *bool  // nil: not stated
	CreatedAt time.Time
	ExpiresAt time.Time
	CreatedBy string // name of the operator key
	Clicks    int64

	MaxClicks  int64          // 0: any number
	Passphrase bool           // whether one is asked for
	Confirm    bool           // as asked for; MaxClicks and Passphrase need confirmation too
	Allow      []netip.Prefix // the addresses that may use it; empty: all
	NotBefore  time.Time      // zero: from the issue on

	// Reveal says when the page of a link with a passphrase shows what the file is:
	// RevealAfter or RevealBefore; empty without passphrase.
	Reveal string

	Action      LinkAction
	Filename    string // as asked for; empty: the key's last segment
	Disposition string
	Language    string // of the pages, a BCP 47 tag; empty: as the recipient's browser asks
	Sender      string // shown name of who issued it, where that is not CreatedBy
	Pin         string // PinVersion, PinETag or PinNone
	Note        string
	Labels      map[string]string

	RevokedAt    time.Time // zero unless revoked
	RevokedBy    string
	RevokeReason string

	Warnings []Warning // of the issue alone, not kept
	Notes    []Note    // of the issue alone, not kept

	// Revision is another one after each change by an operator. Clicks and the
	// passing of time leave it as it is.
	Revision string
}

// NeedsConfirmation tells whether a recipient is shown a page first, and a click
// is spent by its button alone.
func (l *Link) NeedsConfirmation() bool { return l.MaxClicks > 0 || l.Passphrase || l.Confirm }

// Ended tells whether the link opens nothing new any more, and never will again.
func (l *Link) Ended() bool {
	return l.State == StateExpired || l.State == StateRevoked || l.State == StateUsedUp
}

// Warning is something the operator should know, that stops nothing.
type Warning struct {
	Code    string
	Message string
}

// Note is what the link will do, as the operator should know. It needs no decision.
type Note struct {
	Code    string
	Message string
}

// The notes of an issue.
const (
	NoteVersionPinned = "version_pinned"
	NoteETagOnly      = "etag_only"
	NoteNoteHidden    = "note_hidden"
)

// NoteCodes lists every note's code.
func NoteCodes() []string { return []string{NoteVersionPinned, NoteETagOnly, NoteNoteHidden} }

// The warnings of an issue.
const (
	WarnHTTPPublicURL    = "http_public_url"
	WarnNotPinned        = "not_pinned"
	WarnLongExpiry       = "long_expiry"
	WarnInlineActiveType = "inline_active_type"
	WarnInlineDownload   = "inline_download"
	WarnFolderMarker     = "folder_marker"
	WarnPlaylist         = "playlist"
	WarnClockSkew        = "storage_clock_skew"
)

// WarningCodes lists the code of every Warning.
func WarningCodes() []string {
	return []string{
		WarnHTTPPublicURL, WarnNotPinned, WarnLongExpiry, WarnInlineActiveType,
		WarnInlineDownload, WarnFolderMarker, WarnPlaylist, WarnClockSkew,
	}
}

// SaveAs returns the file name that a recipient is offered.
func (l *Link) SaveAs() string { return SaveAs(l.Filename, l.Ref.Key) }

// SaveAs returns filename, or what stands for it when it is empty: the last
// segment of key, without what a file name must not contain.
func SaveAs(filename, key string) string {
	if filename != "" {
		return filename
	}
	name := strings.TrimRight(key, "/")
	name = name[strings.LastIndexByte(name, '/')+1:]
	name = strings.Map(func(r rune) rune {
		if !fileNameRune(r) {
			return '_'
		}
		return r
	}, name)
	name = shorten(name)
	if blankName(name) {
		return "download"
	}
	return name
}

const (
	// maxFilename is the longest file name in bytes, as common file systems have it.
	maxFilename = 255
	// maxOffered is the longest that is offered for a key: browsers need some of
	// maxFilename for themselves, Firefox for "name.AbCdEfGh.part", and all of
	// them for a second "name(1)".
	maxOffered = 230
	// maxExtension is the longest ending that is kept for being an extension.
	maxExtension = 20
)

// shorten cuts a name to maxOffered, between characters and before its extension.
func shorten(name string) string {
	if len(name) <= maxOffered {
		return name
	}
	extension := path.Ext(name)
	if len(extension) > maxExtension {
		extension = ""
	}
	base := name[:maxOffered-len(extension)]
	for !utf8.ValidString(base) {
		base = base[:len(base)-1]
	}
	return strings.TrimRight(base, joiners) + extension
}

// joiners are the zero-width non-joiner and the zero-width joiner. Persian and
// Hindi are misspelled without them, and emoji fall apart.
const joiners = "\u200c\u200d"

// blankName tells whether a file name shows nothing, or names a directory.
func blankName(name string) bool { return strings.Trim(name, ". "+joiners) == "" }

// fileNameRune refuses controls, path separators and the characters that turn
// the reading direction around, which can make a program look like a document.
// Of the invisible characters of Unicode's class Cf it takes joiners only.
func fileNameRune(r rune) bool {
	switch {
	case r == '/', r == '\\', r == utf8.RuneError:
		return false
	case r < utf8.RuneSelf: // most of all names: no tables are needed
		return r >= ' ' && r != 0x7f
	case strings.ContainsRune(joiners, r):
		return true
	case unicode.IsControl(r), unicode.In(r, unicode.Cf, unicode.Zl, unicode.Zp):
		return false
	}
	return true
}
