package gateway

import (
	"cmp"
	"math"
	"net/netip"
	"path"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// State is the current state of a link.
type State string

// The states of a link. The first end of a link is final: a revoked link never becomes
// expired.
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

// The values of Link.Disposition (RFC 6266).
const (
	DispositionAttachment = "attachment"
	DispositionInline     = "inline"
)

// The values of Link.Reveal: when the page of a link with a passphrase shows facts about
// the file.
const (
	RevealAfter  = "after"  // after the passphrase, with the download
	RevealBefore = "before" // before the passphrase, on the page
)

// LinkAction names the operation that a link lets recipients perform.
type LinkAction string

// LinkDownload lets recipients download the object. It is the only action.
const LinkDownload LinkAction = "download"

// LinkActions lists every LinkAction.
func LinkActions() []LinkAction { return []LinkAction{LinkDownload} }

// ObjectRef names one object of one storage.
type ObjectRef struct {
	Storage string // the storage's name in the configuration
	Bucket  string
	Key     string // the object's key, literal bytes
}

// String returns storage:bucket/key, which is the form that a Pattern matches.
func (r ObjectRef) String() string { return r.Storage + ":" + r.Bucket + "/" + r.Key }

// ObjectInfo holds the properties of an object that its storage reports. A Link holds the
// properties as of its issue.
type ObjectInfo struct {
	Size         int64 // bytes, or UnknownSize
	ETag         string
	VersionID    string // empty: the bucket keeps no versions of the object
	ContentType  string
	LastModified time.Time // zero: not reported
}

// UnknownSize is the Size of an object if the storage does not report one.
const UnknownSize = math.MaxInt64

// Link holds all properties of a link except its token, which no gateway knows after the
// issue.
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
	// LastUsedAt is the time of the last download, a resumed one too; zero: never, or the
	// answer to a click.
	LastUsedAt time.Time

	MaxClicks  int64          // 0: any number
	Passphrase bool           // recipients need a passphrase
	Confirm    bool           // the operator requested it; MaxClicks and Passphrase imply it
	Allow      []netip.Prefix // the addresses that may use the link; empty: all
	NotBefore  time.Time      // zero: valid from the issue on

	// Reveal says when the page of a link with a passphrase shows facts about the file:
	// RevealAfter or RevealBefore; empty without a passphrase.
	Reveal string

	Action      LinkAction
	Filename    string // of the download; empty: the last segment of the key
	Disposition string // DispositionAttachment or DispositionInline
	Language    string // of the pages, a BCP 47 tag; empty: the browser decides
	Sender      string // the display name of the operator at the issue; empty: see SenderName
	Pin         string // PinVersion, PinETag or PinNone
	Note        string
	Labels      map[string]string

	RevokedAt    time.Time // zero unless revoked
	RevokedBy    string
	RevokeReason string

	Warnings []Warning // only in the answer to the issue or a change, not stored
	Notes    []Note    // only in the answer to the issue or a change, not stored

	// Revision changes with each change by an operator. Clicks and the passing of time
	// do not change it.
	Revision string
}

// SenderName returns the operator's name for recipients: Sender, or the name of the
// operator key or token without the prefix of tokens.
func (l *Link) SenderName() string {
	return cmp.Or(l.Sender, strings.TrimPrefix(l.CreatedBy, TokenNamePrefix))
}

// NeedsConfirmation reports whether recipients see a page first. Then only the button on
// the page spends a click.
func (l *Link) NeedsConfirmation() bool { return l.MaxClicks > 0 || l.Passphrase || l.Confirm }

// Ended reports whether the link has ended. A link that has ended never becomes active
// again.
func (l *Link) Ended() bool {
	return l.State == StateExpired || l.State == StateRevoked || l.State == StateUsedUp
}

// Warning is a risk of a link that the operator should know. It does not stop the issue.
type Warning struct {
	Code    string
	Message string
}

// Note describes the behaviour of a link for the operator. It needs no decision.
type Note struct {
	Code    string
	Message string
}

// The notes of an issue, a change or a revocation.
const (
	NoteVersionPinned = "version_pinned"
	NoteETagOnly      = "etag_only"
	NoteNoteHidden    = "note_hidden"
	// NoteEndedBefore is on the answer to a revocation that changed nothing.
	NoteEndedBefore = "ended_before"
)

// NoteCodes lists the code of every Note.
func NoteCodes() []string {
	return []string{NoteVersionPinned, NoteETagOnly, NoteNoteHidden, NoteEndedBefore}
}

// The warnings of an issue or a change.
const (
	WarnHTTPPublicURL    = "http_public_url"
	WarnNotPinned        = "not_pinned"
	WarnLongExpiry       = "long_expiry"
	WarnInlineActiveType = "inline_active_type"
	WarnInlineDownload   = "inline_download"
	WarnFolderMarker     = "folder_marker"
	WarnPlaylist         = "playlist"
	WarnClockSkew        = "storage_clock_skew"
	WarnAccessWidened    = "access_widened" // only of a change
)

// WarningCodes lists the code of every Warning.
func WarningCodes() []string {
	return []string{
		WarnHTTPPublicURL, WarnNotPinned, WarnLongExpiry, WarnInlineActiveType,
		WarnInlineDownload, WarnFolderMarker, WarnPlaylist, WarnClockSkew, WarnAccessWidened,
	}
}

// SaveAs returns the file name of the download.
func (l *Link) SaveAs() string { return SaveAs(l.Filename, l.Ref.Key) }

// SaveAs returns filename. If filename is empty, it returns the last segment of key,
// without the characters that a file name must not contain.
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
	// maxFilename is the longest file name of common file systems, in bytes.
	maxFilename = 255
	// maxOffered is the longest file name that SaveAs makes from a key, in bytes. It
	// leaves room, because browsers append to a name: Firefox makes "name.AbCdEfGh.part",
	// and all browsers make "name(1)".
	maxOffered = 230
	// maxExtension is the longest ending that counts as an extension, in bytes.
	maxExtension = 20
)

// shorten cuts a name to maxOffered. It cuts between characters and keeps the extension.
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

// joiners are the zero-width non-joiner and the zero-width joiner. Persian and Hindi
// need them for correct spelling, and emoji to stay whole.
const joiners = "\u200c\u200d"

// blankName reports whether a file name is invisible or names a directory.
func blankName(name string) bool { return strings.Trim(name, ". "+joiners) == "" }

// fileNameRune reports whether a file name may contain r. It refuses control characters,
// path separators and characters that change the reading direction, which can make a
// program look like a document. Of the invisible characters in Unicode's class Cf it
// allows the joiners only.
func fileNameRune(r rune) bool {
	switch {
	case r == '/', r == '\\', r == utf8.RuneError:
		return false
	case r < utf8.RuneSelf: // most names need no Unicode table
		return r >= ' ' && r != 0x7f
	case strings.ContainsRune(joiners, r):
		return true
	case unicode.IsControl(r), unicode.In(r, unicode.Cf, unicode.Zl, unicode.Zp):
		return false
	}
	return true
}
