package redisstore

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"time"

	"keyhole/gateway"
)

// The flags of a permission. One that this version does not know is refused:
// it may be a restriction.
const (
	flagPaused    = 1
	flagConfirmed = 2 // needs confirmation; from version 2 on
)

// permissionFlags returns the flags that a new link begins with.
func permissionFlags(l *gateway.Link) int {
	if l.NeedsConfirmation() {
		return flagConfirmed
	}
	return 0
}

// permissionBody packs what a click is answered with.
func permissionBody(l *gateway.Link, secrets *gateway.Secrets) []byte {
	var b []byte
	if versionOf(l) >= versionRestricted {
		most := binary.BigEndian.AppendUint64(nil, uint64(l.MaxClicks)) //nolint:gosec // Never negative.
		b = append(b, most[3:]...)
		prefixes := packPrefixes(l.Allow)
		b = binary.BigEndian.AppendUint16(b, uint16(len(prefixes))) //nolint:gosec // 64 prefixes at most.
		b = append(b, prefixes...)
		b = append(b, secrets.Key[:]...)
		b = appendString(b, secrets.Passphrase)
	}
	b = appendString(b, l.Ref.Storage)
	b = appendString(b, l.Ref.Bucket)
	b = appendString(b, l.Ref.Key)
	pinned := ""
	if l.Pin == gateway.PinVersion { // otherwise what is current at the click
		pinned = l.Object.VersionID
	}
	b = appendString(b, pinned)
	b = appendString(b, l.Filename)
	b = appendDisposition(b, l.Disposition)
	b = appendContentType(b, l.Object.ContentType)
	if l.Pin == gateway.PinETag {
		b = appendETag(b, l.Object.ETag)
	}
	return b
}

// head is the part of a permission that the scripts read and write.
type head struct {
	version, flags     int64
	expires, notBefore int64 // milliseconds
	clicks             int64
}

// headWidth is its length in bytes.
const headWidth = 19

// parseHead reads the head of a permission.
func parseHead(record string) (head, error) {
	d := decoder{rest: record}
	h := head{version: d.fixed(1), flags: d.fixed(1), expires: d.fixed(6), notBefore: d.fixed(6), clicks: d.fixed(5)}
	if d.err != nil {
		return h, d.err
	}
	known := h.version == version && h.flags&^flagPaused == 0 && h.notBefore == 0 ||
		(h.version == versionRestricted || h.version == versionExtended) && h.flags&^(flagPaused|flagConfirmed) == 0
	if !known {
		return h, fmt.Errorf("%w: permission of version %d, flags %d, not before %d", gateway.ErrRecord, h.version, h.flags, h.notBefore)
	}
	return h, nil
}

// readPermission reads a permission whose head the script has judged at now, in
// Redis' milliseconds.
func readPermission(p *gateway.Permission, record string, now int64) error {
	h, err := parseHead(record)
	if err != nil {
		return err
	}
	d := decoder{rest: record[headWidth:]}
	p.Remaining = time.Duration(h.expires-now) * time.Millisecond
	if h.version >= versionRestricted {
		d.take(5)
		d.take(uint64(d.fixed(2))) //nolint:gosec // Never negative.
		copy(p.Secrets.Key[:], d.take(uint64(len(p.Secrets.Key))))
		p.Secrets.Passphrase = d.text()
	}
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
	return d.end()
}

// packPrefixes packs prefixes of addresses as lua/judge.lua reads them.
func packPrefixes(prefixes []netip.Prefix) string {
	var b []byte
	for _, p := range prefixes {
		packed := packClient(p.Addr())
		b = append(b, packed[0], byte(p.Bits())) //nolint:gosec // 128 at most.
		b = append(b, packed[1:]...)
	}
	return string(b)
}

// unpackPrefixes reads what packPrefixes wrote.
func unpackPrefixes(s string) ([]netip.Prefix, error) {
	var prefixes []netip.Prefix
	d := decoder{rest: s}
	for d.rest != "" {
		family, bits := d.take(1), d.fixed(1)
		width := uint64(16)
		if family == "4" {
			width = 4
		}
		addr, _ := netip.AddrFromSlice([]byte(d.take(width)))
		p := netip.PrefixFrom(addr, int(bits))
		if d.err != nil || !p.IsValid() {
			return nil, fmt.Errorf("%w: prefix of addresses", gateway.ErrRecord)
		}
		prefixes = append(prefixes, p)
	}
	return prefixes, nil
}

// packClient packs an address as lua/judge.lua compares it: a letter for its
// family, and its bytes. Empty is an address that is not known, and in no prefix.
func packClient(addr netip.Addr) string { return string(appendClient(nil, addr)) }

// appendClient appends what packClient packs.
func appendClient(b []byte, addr netip.Addr) []byte {
	addr = addr.Unmap()
	switch {
	case addr.Is4():
		four := addr.As4()
		return append(append(b, '4'), four[:]...)
	case addr.Is6():
		sixteen := addr.As16()
		return append(append(b, '6'), sixteen[:]...)
	}
	return b
}
