package redisstore

import (
	"crypto/md5" //nolint:gosec // For the size of an ETag alone.
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"keyhole/gateway"
)

// The first byte of every record. The scripts know the first as VERSION.
const (
	version           = 1
	versionRestricted = 2 // of permissions and histories with restrictions
	versionExtended   = 3 // of those with what later releases have added; see appendExtension
)

// lastMoment is the last time that RFC 3339 can write, in milliseconds.
const lastMoment = 253402300799999

// appendString appends s with its length before it, so that nothing in s can
// be taken for another field.
func appendString(b []byte, s string) []byte {
	b = binary.AppendUvarint(b, uint64(len(s)))
	return append(b, s...)
}

// appendTime appends t in milliseconds, 0 for the zero time.
func appendTime(b []byte, t time.Time) []byte {
	if t.IsZero() {
		return binary.AppendUvarint(b, 0)
	}
	return binary.AppendUvarint(b, uint64(max(t.UnixMilli(), 0)))
}

// decoder reads fields one after the other. The first that is cut short stops
// it: err is to be asked once, at the end.
type decoder struct {
	rest string
	err  error
}

// fixed reads width bytes as a big-endian number.
func (d *decoder) fixed(width int) int64 {
	raw := d.take(uint64(width)) //nolint:gosec // Constants of the layout.
	var n int64
	for i := range len(raw) {
		n = n<<8 | int64(raw[i])
	}
	return n
}

// take reads n bytes.
func (d *decoder) take(n uint64) string {
	if d.err != nil || n > uint64(len(d.rest)) {
		d.err = fmt.Errorf("%w: cut short", gateway.ErrRecord)
		return ""
	}
	taken := d.rest[:n]
	d.rest = d.rest[n:]
	return taken
}

// number reads what binary.AppendUvarint wrote of a number that fits int64.
func (d *decoder) number() int64 {
	var n uint64
	for shift := 0; shift < 64; shift += 7 {
		b := d.take(1)
		if b == "" {
			return 0
		}
		n |= uint64(b[0]&0x7f) << shift
		if b[0] < 0x80 && n <= math.MaxInt64 {
			return int64(n)
		}
	}
	d.err = fmt.Errorf("%w: number too large", gateway.ErrRecord)
	return 0
}

// text reads what appendString wrote.
func (d *decoder) text() string {
	return d.take(uint64(d.number())) //nolint:gosec // Never negative.
}

// end returns the first error, and refuses what is left: a field that this
// version does not know may be a restriction.
func (d *decoder) end() error {
	if d.err == nil && d.rest != "" {
		return fmt.Errorf("%w: %d bytes too many", gateway.ErrRecord, len(d.rest))
	}
	return d.err
}

// moment reads what appendTime wrote.
func (d *decoder) moment() time.Time { return moment(d.number()) }

// moment turns Redis' milliseconds into a time; 0 is the zero time. One after the
// year 9999, which JSON cannot write, is the last moment of that year: such a record
// must neither hide the others of a listing nor make a revocation look failed.
func moment(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(min(ms, lastMoment)).UTC()
}

// The two ways that an ETag is kept: as text, or as the bytes of the MD5 that
// most are, which spares 18 bytes a link.
const (
	etagText = 0
	etagMD5  = 1
)

// appendETag appends an ETag as it was given, quotes included.
func appendETag(b []byte, etag string) []byte {
	if len(etag) == 2+2*md5.Size && etag == strings.ToLower(etag) {
		sum, err := hex.DecodeString(etag[1 : len(etag)-1])
		if err == nil && etag[0] == '"' && etag[len(etag)-1] == '"' {
			return append(append(b, etagMD5), sum...)
		}
	}
	return appendString(append(b, etagText), etag)
}

// etag reads what appendETag wrote.
func (d *decoder) etag() string {
	if d.fixed(1) == etagMD5 {
		return `"` + hex.EncodeToString([]byte(d.take(md5.Size))) + `"`
	}
	return d.text()
}

// knownTypes are the content types that are kept as their place in this list.
// New ones join at the end: records outlive releases.
//
//nolint:gochecknoglobals // A table that nothing writes to.
var knownTypes = [...]string{
	"application/octet-stream", "binary/octet-stream", "application/pdf", "application/zip", "application/gzip",
	"application/x-tar", "application/json", "application/xml", "text/plain", "text/plain; charset=utf-8",
	"text/csv", "text/csv; charset=utf-8", "text/html", "text/html; charset=utf-8", "image/png", "image/jpeg",
	"image/gif", "image/webp", "image/svg+xml", "audio/mpeg", "video/mp4", "video/webm", "video/quicktime",
	"application/msword", "application/vnd.ms-excel", "application/vnd.ms-powerpoint",
	"application/vnd.openxmlformats-officedocument.wordprocessingml.document",
	"application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
	"application/vnd.openxmlformats-officedocument.presentationml.presentation",
	"application/x-parquet", "application/vnd.apache.parquet", "text/markdown",
}

// firstKnownType is above the length of every content type: the headers of an
// object have 8 KiB together (AWS, "PutObject").
const firstKnownType = 8192

// appendContentType appends a content type: text, or in 2 bytes a known one,
// which spares most links some 30 bytes.
func appendContentType(b []byte, contentType string) []byte {
	if i := slices.Index(knownTypes[:], contentType); i >= 0 {
		return binary.AppendUvarint(b, firstKnownType+uint64(i))
	}
	return appendString(b, contentType)
}

// contentType reads what appendContentType wrote.
func (d *decoder) contentType() string {
	n := d.number()
	if n < firstKnownType {
		return d.take(uint64(n)) //nolint:gosec // Never negative.
	}
	if n -= firstKnownType; n >= int64(len(knownTypes)) {
		d.err = fmt.Errorf("%w: content type %d", gateway.ErrRecord, n)
		return ""
	}
	return knownTypes[n]
}
