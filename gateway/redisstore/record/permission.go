package record

import (
	"encoding/binary"
	"fmt"
	"time"

	"keyhole/gateway"
)

// The flags of a permission. An unknown flag is refused, because it may be a restriction.
const (
	flagPaused       = 1
	flagConfirmation = 2 // the link needs confirmation; from Restricted on
	flagOtherAction  = 4 // the link is not for downloads; this version refuses it
)

// PermissionFlags returns the flags of a new link's permission. A link with an action
// other than download gets a flag that lua/judge.lua and parseHead refuse: a click reads
// the permission only, which has no other field for the action.
func PermissionFlags(l *gateway.Link) int {
	flags := 0
	if l.NeedsConfirmation() {
		flags |= flagConfirmation
	}
	if l.Action != "" && l.Action != gateway.LinkDownload {
		flags |= flagOtherAction
	}
	return flags
}

// PermissionBody packs the fields that a click needs and that the scripts do not change.
func PermissionBody(l *gateway.Link, secrets *gateway.Secrets) []byte {
	var b []byte
	if VersionOf(l) >= Restricted {
		most := binary.BigEndian.AppendUint64(nil, uint64(l.MaxClicks)) //nolint:gosec // Never negative.
		b = append(b, most[3:]...)
		prefixes := PackPrefixes(l.Allow)
		b = binary.BigEndian.AppendUint16(b, uint16(len(prefixes))) //nolint:gosec // 64 prefixes at most.
		b = append(b, prefixes...)
		b = append(b, secrets.Key[:]...)
		b = AppendString(b, secrets.Passphrase)
	}
	b = AppendString(b, l.Ref.Storage)
	b = AppendString(b, l.Ref.Bucket)
	b = AppendString(b, l.Ref.Key)
	pinned := ""
	if l.Pin == gateway.PinVersion { // Without a version, a click gets the current one.
		pinned = l.Object.VersionID
	}
	b = AppendString(b, pinned)
	b = AppendString(b, l.Filename)
	b = appendDisposition(b, l.Disposition)
	b = appendContentType(b, l.Object.ContentType)
	if l.Pin == gateway.PinETag {
		b = appendETag(b, l.Object.ETag)
	}
	return b
}

// head is the fixed part of a permission, which the scripts read and change.
type head struct {
	version, flags     int64
	expires, notBefore int64 // Unix milliseconds
	clicks             int64
}

// headWidth is the length of a permission's head in bytes.
const headWidth = 19

// parseHead reads the head of a permission.
func parseHead(record string) (head, error) {
	d := Decoder{Rest: record}
	h := head{version: d.Fixed(1), flags: d.Fixed(1), expires: d.Fixed(6), notBefore: d.Fixed(6), clicks: d.Fixed(5)}
	if d.Err != nil {
		return h, d.Err
	}
	known := h.version == Plain && h.flags&^flagPaused == 0 && h.notBefore == 0 ||
		(h.version == Restricted || h.version == Extended) && h.flags&^(flagPaused|flagConfirmation) == 0
	if !known {
		const format = "%w: unknown permission: version %d, flags %d, not before %d"
		return h, fmt.Errorf(format, gateway.ErrRecord, h.version, h.flags, h.notBefore)
	}
	return h, nil
}

// readPermission reads a permission that the script admitted at now, in Unix
// milliseconds of Redis' clock.
func readPermission(p *gateway.Permission, record string, now int64) error {
	h, err := parseHead(record)
	if err != nil {
		return err
	}
	d := Decoder{Rest: record[headWidth:]}
	p.Remaining = time.Duration(h.expires-now) * time.Millisecond
	if h.version >= Restricted {
		d.Take(5)
		d.Take(uint64(d.Fixed(2))) //nolint:gosec // Never negative.
		copy(p.Secrets.Key[:], d.Take(uint64(len(p.Secrets.Key))))
		p.Secrets.Passphrase = d.Text()
	}
	p.Ref = gateway.ObjectRef{Storage: d.Text(), Bucket: d.Text(), Key: d.Text()}
	p.VersionID = d.Text()
	p.Filename = d.Text()
	p.Disposition = d.disposition()
	p.ContentType = d.contentType()
	switch {
	case p.VersionID != "":
		p.Pin = gateway.PinVersion
	case d.Rest != "":
		p.Pin, p.ETag = gateway.PinETag, d.etag()
	default:
		p.Pin = gateway.PinNone
	}
	return d.End()
}
