package record

import (
	"crypto/md5" //nolint:gosec // Only for the length of an ETag.
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"keyhole/gateway"
)

// The versions of records, their first byte. VERSION in the scripts is Plain.
const (
	Plain      = 1 // every event, and links without restrictions
	Restricted = 2 // links with restrictions
	Extended   = 3 // links with fields that later releases added; see appendExtension
)

// lastMillisecond is the last time that RFC 3339 can express, in Unix milliseconds.
const lastMillisecond = 253402300799999

// AppendString appends s after its length, so that no byte of s can be read as
// part of another field.
func AppendString(b []byte, s string) []byte {
	b = binary.AppendUvarint(b, uint64(len(s)))
	return append(b, s...)
}

// AppendTime appends t in Unix milliseconds, and 0 for the zero time.
func AppendTime(b []byte, t time.Time) []byte {
	if t.IsZero() {
		return binary.AppendUvarint(b, 0)
	}
	return binary.AppendUvarint(b, uint64(max(t.UnixMilli(), 0)))
}

// Decoder reads the fields of a record one after the other. The first field that is
// truncated or invalid sets Err, and every later read returns a zero value. Check Err, or
// End, once after the last field.
type Decoder struct {
	Rest string // the bytes that have not been read yet
	Err  error  // a gateway.ErrRecord
}

// Fixed reads width bytes as a big-endian number.
func (d *Decoder) Fixed(width int) int64 {
	raw := d.Take(uint64(width)) //nolint:gosec // Constants of the layout.
	var n int64
	for i := range len(raw) {
		n = n<<8 | int64(raw[i])
	}
	return n
}

// Take reads n bytes.
func (d *Decoder) Take(n uint64) string {
	if d.Err != nil || n > uint64(len(d.Rest)) {
		d.Err = fmt.Errorf("%w: truncated", gateway.ErrRecord)
		return ""
	}
	taken := d.Rest[:n]
	d.Rest = d.Rest[n:]
	return taken
}

// Number reads a number that binary.AppendUvarint wrote and that fits int64.
func (d *Decoder) Number() int64 {
	var n uint64
	for shift := 0; shift < 64; shift += 7 {
		b := d.Take(1)
		if b == "" {
			return 0
		}
		n |= uint64(b[0]&0x7f) << shift
		if b[0] < 0x80 && n <= math.MaxInt64 {
			return int64(n)
		}
	}
	d.Err = fmt.Errorf("%w: a number exceeds 63 bits", gateway.ErrRecord)
	return 0
}

// Text reads a string that AppendString wrote.
func (d *Decoder) Text() string {
	return d.Take(uint64(d.Number())) //nolint:gosec // Never negative.
}

// End returns the first error. Remaining bytes are an error too, because a field that
// this version does not know may be a restriction.
func (d *Decoder) End() error {
	if d.Err == nil && d.Rest != "" {
		return fmt.Errorf("%w: %d bytes follow the last field", gateway.ErrRecord, len(d.Rest))
	}
	return d.Err
}

// time reads a time that AppendTime wrote.
func (d *Decoder) time() time.Time { return Time(d.Number()) }

// Time converts Unix milliseconds to a time in UTC; 0 is the zero time. A time after the
// year 9999, which JSON cannot express, becomes the last millisecond of that year: one
// such record must not break a listing or the answer to a revocation.
func Time(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(min(ms, lastMillisecond)).UTC()
}

// The two encodings of an ETag: as text, or as the 16 bytes of an MD5, which most
// ETags are. The second one saves 18 bytes per link.
const (
	etagText = 0
	etagMD5  = 1
)

// appendETag appends an ETag unchanged, with its quotes.
func appendETag(b []byte, etag string) []byte {
	if len(etag) == 2+2*md5.Size && etag == strings.ToLower(etag) {
		sum, err := hex.DecodeString(etag[1 : len(etag)-1])
		if err == nil && etag[0] == '"' && etag[len(etag)-1] == '"' {
			return append(append(b, etagMD5), sum...)
		}
	}
	return AppendString(append(b, etagText), etag)
}

// etag reads an ETag that appendETag wrote.
func (d *Decoder) etag() string {
	if d.Fixed(1) == etagMD5 {
		return `"` + hex.EncodeToString([]byte(d.Take(md5.Size))) + `"`
	}
	return d.Text()
}

// knownTypes are the content types that a record keeps as an index into this list.
// Append new ones at the end: records outlive releases.
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

// firstKnownType is larger than the length of any content type: all headers of an
// object together have at most 8 KiB (AWS, "PutObject").
const firstKnownType = 8192

// appendContentType appends a content type as text, or in 2 bytes if it is a known
// one, which saves about 30 bytes for most links.
func appendContentType(b []byte, contentType string) []byte {
	if i := slices.Index(knownTypes[:], contentType); i >= 0 {
		return binary.AppendUvarint(b, firstKnownType+uint64(i))
	}
	return AppendString(b, contentType)
}

// contentType reads a content type that appendContentType wrote.
func (d *Decoder) contentType() string {
	n := d.Number()
	if n < firstKnownType {
		return d.Take(uint64(n)) //nolint:gosec // Never negative.
	}
	if n -= firstKnownType; n >= int64(len(knownTypes)) {
		d.Err = fmt.Errorf("%w: unknown content type %d", gateway.ErrRecord, n)
		return ""
	}
	return knownTypes[n]
}
