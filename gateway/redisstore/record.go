package redisstore

import (
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"keyhole/gateway"
)

// The end marks of a history.
const (
	endNone    = 0
	endRevoked = 1
	endUsedUp  = 2
)

// The flags of a permission. One that this version does not know is refused:
// it may be a restriction.
const flagPaused = 1

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

// permissionBody packs what a click is answered with.
func permissionBody(l *gateway.Link) []byte {
	b := appendString(nil, l.Ref.Storage)
	b = appendString(b, l.Ref.Bucket)
	b = appendString(b, l.Ref.Key)
	version := ""
	if l.Pin == gateway.PinVersion { // otherwise what is current at the click
		version = l.Object.VersionID
	}
	b = appendString(b, version)
	b = appendString(b, l.Filename)
	b = appendDisposition(b, l.Disposition)
	b = appendContentType(b, l.Object.ContentType)
	if l.Pin == gateway.PinETag {
		b = appendETag(b, l.Object.ETag)
	}
	return b
}

// parsePermission reads a permission whose head the script has judged.
func parsePermission(record string, left time.Duration) (gateway.Permission, error) {
	d := decoder{rest: record}
	d.take(19)
	p := gateway.Permission{Remaining: left}
	p.Ref = gateway.ObjectRef{Storage: d.text(), Bucket: d.text(), Key: d.text()}
	p.VersionID = d.text()
	p.Filename = d.text()
	p.Disposition = d.disposition()
	p.ContentType = d.contentType()
	switch {
	case p.VersionID != "":
		p.Pin = gateway.PinVersion
	case d.rest != "":
		p.Pin, p.ETag = gateway.PinETag, d.etag()
	default:
		p.Pin = gateway.PinNone
	}
	return p, d.end()
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

// historyBody packs everything of a link but its times and counts, which the
// script keeps in the head.
func historyBody(l *gateway.Link) []byte {
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
	return b
}

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
	if n := d.fixed(1); n != version {
		return gateway.Link{}, fmt.Errorf("%w: history of version %d", gateway.ErrRecord, n)
	}
	end := d.fixed(1)
	link := gateway.Link{ID: id, CreatedAt: moment(d.fixed(6)), ExpiresAt: moment(d.fixed(6))}
	ended, forgotten, clicks := d.fixed(6), d.fixed(6), d.fixed(5)
	d.take(10)
	d.historyBody(&link)
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
	d := decoder{rest: v.live}
	format, flags, expires := d.fixed(1), d.fixed(1), d.fixed(6)
	notBefore := d.fixed(6)
	link.Clicks = d.fixed(5)
	switch {
	case d.err != nil:
		return d.err
	case format != version, flags&^flagPaused != 0, notBefore != 0:
		return fmt.Errorf("%w: permission of version %d, flags %d, not before %d", gateway.ErrRecord, format, flags, notBefore)
	case expires <= v.now:
	case flags == flagPaused:
		link.State = gateway.StatePaused
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
