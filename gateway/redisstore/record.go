package redisstore

import (
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"keyhole/gateway"
)

// The end marks of a history.
const (
	endNone    = 0
	endRevoked = 1
	endUsedUp  = 2
)

// dispositionLetters are what a disposition is kept as; see dispositionOf.
const dispositionLetters = "-ai"

// dispositionOf reads the letter of a disposition.
func dispositionOf(letter byte) (string, error) {
	switch letter {
	case '-':
		return "", nil
	case 'a':
		return gateway.DispositionAttachment, nil
	case 'i':
		return gateway.DispositionInline, nil
	}
	return "", fmt.Errorf("%w: disposition %q", gateway.ErrRecord, letter)
}

// appendDisposition appends the letter of a disposition that checkLink passed.
func appendDisposition(b []byte, disposition string) []byte {
	letter, _ := letterOf(dispositionLetters, dispositionOf, disposition)
	return append(b, letter...)
}

// disposition reads what appendDisposition wrote.
func (d *decoder) disposition() string {
	letter := d.take(1)
	if d.err != nil {
		return ""
	}
	disposition, err := dispositionOf(letter[0])
	d.err = err
	return disposition
}

// The byte that keeps Link.Sensitive.
const (
	sensitiveUnstated = 0
	sensitiveNo       = 1
	sensitiveYes      = 2
)

// The bits of the byte that keeps how a link must be opened.
const (
	opensConfirmed  = 1
	opensPassphrase = 2
)

// The byte that keeps Link.Reveal.
const (
	revealUnstated = 0
	revealAfter    = 1
	revealBefore   = 2
)

// actionDownload is the letter of Link.Action that is known so far. What another
// letter means, and what follows it, is for the release that adds it to say; this one
// refuses it, in the flags of the permission too.
const actionDownload = 'd'

// versionOf returns the version that a link's records are written in: the oldest
// that can say all of it, so that gateways of the version before serve what they
// understand, and refuse the rest.
func versionOf(l *gateway.Link) byte {
	if l.Reveal == gateway.RevealBefore && l.Passphrase || l.Language != "" || l.Sender != "" {
		return versionExtended
	}
	if l.NeedsConfirmation() || len(l.Allow) > 0 || !l.NotBefore.IsZero() {
		return versionRestricted
	}
	return version
}

// historyBody packs everything of a link but its times and counts, which the
// script keeps in the head, as a version has it.
func historyBody(l *gateway.Link, format byte) []byte {
	b := appendString(nil, l.Ref.Storage)
	b = appendString(b, l.Ref.Bucket)
	b = appendString(b, l.Ref.Key)
	b = binary.AppendUvarint(b, uint64(max(l.Object.Size, 0)))
	b = appendETag(b, l.Object.ETag)
	b = appendString(b, l.Object.VersionID)
	b = appendContentType(b, l.Object.ContentType)
	b = appendTime(b, l.Object.LastModified)
	b = appendString(b, l.Preset)
	sensitive := byte(sensitiveUnstated)
	if l.Sensitive != nil {
		sensitive = sensitiveNo
		if *l.Sensitive {
			sensitive = sensitiveYes
		}
	}
	b = append(b, sensitive)
	b = appendString(b, l.CreatedBy)
	b = appendString(b, l.Filename)
	b = appendDisposition(b, l.Disposition)
	b = appendString(b, l.Pin)
	b = appendString(b, l.Note)
	b = binary.AppendUvarint(b, uint64(len(l.Labels)))
	for _, name := range slices.Sorted(maps.Keys(l.Labels)) {
		b = appendString(b, name)
		b = appendString(b, l.Labels[name])
	}
	if format >= versionRestricted {
		b = appendRestrictions(b, l)
	}
	if format >= versionExtended {
		b = appendExtension(b, l)
	}
	return b
}

// appendExtension appends what version 3 has behind version 2: the action with what
// belongs to it, when the file is shown, the language and the sender's name.
func appendExtension(b []byte, l *gateway.Link) []byte {
	reveal := byte(revealUnstated)
	switch l.Reveal {
	case gateway.RevealAfter:
		reveal = revealAfter
	case gateway.RevealBefore:
		reveal = revealBefore
	}
	b = append(b, actionDownload, reveal)
	return appendString(appendString(b, l.Language), l.Sender)
}

// fillIn sets what records need not say: the only action, and the choice that stands
// where none was made, also of links from before there was one.
func fillIn(l *gateway.Link) {
	l.Action = gateway.LinkDownload
	if l.Passphrase && l.Reveal == "" {
		l.Reveal = gateway.RevealAfter
	}
}

// extension reads what appendExtension wrote.
func (d *decoder) extension(l *gateway.Link) {
	action, reveal := d.fixed(1), d.fixed(1)
	switch reveal {
	case revealAfter:
		l.Reveal = gateway.RevealAfter
	case revealBefore:
		l.Reveal = gateway.RevealBefore
	}
	l.Language, l.Sender = d.text(), d.text()
	if d.err == nil && (action != actionDownload || reveal > revealBefore) {
		d.err = fmt.Errorf("%w: action %d, reveal %d", gateway.ErrRecord, action, reveal)
	}
}

// appendRestrictions appends what version 2 has behind version 1.
func appendRestrictions(b []byte, l *gateway.Link) []byte {
	opens := byte(0)
	if l.Confirm {
		opens |= opensConfirmed
	}
	if l.Passphrase {
		opens |= opensPassphrase
	}
	b = append(b, opens)
	b = binary.AppendUvarint(b, uint64(l.MaxClicks)) //nolint:gosec // Never negative.
	b = appendString(b, packPrefixes(l.Allow))
	return appendTime(b, l.NotBefore)
}

// restrictions reads what appendRestrictions wrote.
func (d *decoder) restrictions(l *gateway.Link) {
	opens := d.fixed(1)
	l.Confirm, l.Passphrase = opens&opensConfirmed != 0, opens&opensPassphrase != 0
	l.MaxClicks = d.number()
	prefixes, err := unpackPrefixes(d.text())
	l.Allow, l.NotBefore = prefixes, d.moment()
	if d.err == nil && opens > opensConfirmed|opensPassphrase {
		err = gateway.ErrRecord
	}
	d.err = errors.Join(d.err, err)
}

// revisionWidth is the length of an operators' event's name in a history's head.
const revisionWidth = 10

// historyHeadWidth is the length of what the scripts keep before a history's body.
const historyHeadWidth = 41

// endBody packs who ended a link and why: the script appends it to the history.
func endBody(actor, reason string) []byte {
	return appendString(appendString(nil, actor), reason)
}

// view is a link as lua/view.lua returns it.
type view struct {
	now     int64  // Redis' clock in milliseconds
	history string // empty: there is no such link
	live    string // head of the permission, empty: there is none
	newest  string // newest event of a click, where there is no permission
}

// link reads the view; gateway.ErrNotFound where there is none or it is past
// its retention.
func (v view) link(id gateway.ID) (gateway.Link, error) {
	if v.history == "" {
		return gateway.Link{}, gateway.ErrNotFound
	}
	d := decoder{rest: v.history}
	format := d.fixed(1)
	if format < version || format > versionExtended {
		return gateway.Link{}, fmt.Errorf("%w: history of version %d", gateway.ErrRecord, format)
	}
	end := d.fixed(1)
	link := gateway.Link{ID: id, CreatedAt: moment(d.fixed(6)), ExpiresAt: moment(d.fixed(6))}
	ended, forgotten, clicks := d.fixed(6), d.fixed(6), d.fixed(5)
	link.Revision = d.take(revisionWidth)
	d.historyBody(&link)
	if format >= versionRestricted {
		d.restrictions(&link)
	}
	if format >= versionExtended {
		d.extension(&link)
	}
	fillIn(&link)
	if end == endRevoked {
		link.RevokedAt, link.RevokedBy, link.RevokeReason = moment(ended), d.text(), d.text()
	}
	if err := d.end(); err != nil {
		return gateway.Link{}, err
	}
	if forgotten <= v.now {
		return gateway.Link{}, gateway.ErrNotFound
	}
	link.Clicks = clicks
	return link, v.judge(&link, end)
}

// open tells whether the link has a permission that has not come to its end.
func (v view) open() bool {
	live, err := parseHead(v.live)
	return err == nil && live.expires > v.now
}

// judge sets the link's state and, unless the history has the final count, its
// clicks.
func (v view) judge(link *gateway.Link, end int64) error {
	switch end {
	case endRevoked:
		link.State = gateway.StateRevoked
		return nil
	case endUsedUp:
		link.State = gateway.StateUsedUp
		return nil
	case endNone:
	default:
		return fmt.Errorf("%w: end %d", gateway.ErrRecord, end)
	}
	link.State = gateway.StateExpired
	if v.live == "" {
		if v.newest != "" {
			event, err := parseClick(link.ID, v.newest)
			link.Clicks = event.clicks
			return err
		}
		return nil
	}
	live, err := parseHead(v.live)
	link.Clicks = live.clicks
	switch {
	case err != nil:
		return err
	case live.expires <= v.now:
	case live.flags&flagPaused != 0:
		link.State = gateway.StatePaused
	case live.notBefore > v.now:
		link.State = gateway.StateNotYet
	default:
		link.State = gateway.StateActive
	}
	return nil
}

// historyBody reads what historyBody wrote.
func (d *decoder) historyBody(l *gateway.Link) {
	l.Ref = gateway.ObjectRef{Storage: d.text(), Bucket: d.text(), Key: d.text()}
	l.Object = gateway.ObjectInfo{
		Size: d.number(), ETag: d.etag(), VersionID: d.text(), ContentType: d.contentType(), LastModified: d.moment(),
	}
	l.Preset = d.text()
	if stated := d.fixed(1); stated != sensitiveUnstated {
		sensitive := stated == sensitiveYes
		l.Sensitive = &sensitive
	}
	l.CreatedBy = d.text()
	l.Filename = d.text()
	l.Disposition = d.disposition()
	l.Pin = d.text()
	l.Note = d.text()
	for range d.number() {
		name := d.text()
		if d.err != nil {
			return
		}
		if l.Labels == nil {
			l.Labels = make(map[string]string)
		}
		l.Labels[name] = d.text()
	}
}

// checkLink refuses what the records and indexes could not keep apart.
func checkLink(l *gateway.Link) error {
	if _, err := letterOf(dispositionLetters, dispositionOf, l.Disposition); err != nil {
		return fmt.Errorf("disposition: %w", err)
	}
	for _, s := range []string{l.Ref.Bucket, l.Ref.Key} {
		if strings.Contains(s, "\x00") {
			return errors.New("bucket or key with a NUL cannot be kept")
		}
	}
	for name := range l.Labels {
		if strings.Contains(name, "\x00") {
			return errors.New("label name with a NUL cannot be kept")
		}
	}
	return nil
}
