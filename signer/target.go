package signer

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// maxKept is the size in bytes of the largest buffer that the next signature reuses.
const maxKept = 16 << 10

// target signs for one bucket.
type target struct {
	origin string // scheme://host
	path   string // before the key
	tail   string // the canonical request after its query
	region string
	payer  bool // the requester pays

	key  atomic.Pointer[signingKey] // the last one used
	pool sync.Pool                  // of *scratch
}

func newTarget(e bucketEndpoint, payer bool) *target {
	return &target{
		origin: e.scheme + "://" + e.host,
		path:   e.path,
		tail:   "\nhost:" + e.host + "\n\nhost\nUNSIGNED-PAYLOAD",
		region: e.region,
		payer:  payer,
	}
}

// scratch is the working memory of a signature. The next signature reuses it.
type scratch struct {
	buf []byte
	key *signingKey // the key of mac
	mac hash.Hash
}

// timeOfDay is a time of day in the format of X-Amz-Date, "T235959Z".
type timeOfDay [8]byte

func newTimeOfDay(hour, minute, second int) timeOfDay {
	const digits = "0123456789"
	return timeOfDay{
		'T', digits[hour/10], digits[hour%10], digits[minute/10], digits[minute%10],
		digits[second/10], digits[second%10], 'Z',
	}
}

// sign returns the URL for r. The date of the signature is at, and the URL is valid for
// expires from that date on.
//
// sign builds the canonical request first, because its path and query are also the path
// and query of the URL. The string to sign follows in the same buffer (AWS, "Create a
// signed AWS API request", steps 1 to 5).
func (t *target) sign(c *aws.Credentials, r *Request, at time.Time, expires time.Duration) string {
	hour, minute, second := at.UTC().Clock()
	day := at.Unix() - int64(hour*3600+minute*60+second)
	clock := newTimeOfDay(hour, minute, second)
	key := t.keyFor(c, day)
	s := t.scratchFor(key)

	b := append(s.buf[:0], r.Method...)
	b = append(b, '\n')
	path := len(b)
	b = append(b, t.path...)
	b = appendEscaped(b, r.Key, true)
	pathEnd := len(b)
	b = append(b, '\n')
	query := len(b)
	b = t.appendQuery(b, r, key, clock, expires)
	queryEnd := len(b)
	b = append(b, t.tail...)
	digest := sha256.Sum256(b)

	toSign := len(b)
	b = append(b, algorithm+"\n"...)
	b = append(b, key.date...)
	b = append(b, clock[:]...)
	b = append(b, '\n')
	b = append(b, key.scope...)
	b = append(b, '\n')
	b = hex.AppendEncode(b, digest[:])
	s.mac.Reset()
	s.mac.Write(b[toSign:])
	mac := len(b)
	b = s.mac.Sum(b)
	signature := len(b)
	b = hex.AppendEncode(b, b[mac:signature])

	const parameter = "&X-Amz-Signature="
	var u strings.Builder
	u.Grow(len(t.origin) + pathEnd - path + 1 + queryEnd - query + len(parameter) + len(b) - signature)
	u.WriteString(t.origin)
	u.Write(b[path:pathEnd])
	u.WriteByte('?')
	u.Write(b[query:queryEnd])
	u.WriteString(parameter)
	u.Write(b[signature:])

	if cap(b) <= maxKept {
		s.buf = b
	}
	t.pool.Put(s)
	return u.String()
}

// appendQuery appends the canonical query: all parameters except the signature, in the
// order of their bytes, so upper case comes first.
func (t *target) appendQuery(b []byte, r *Request, key *signingKey, clock timeOfDay, expires time.Duration) []byte {
	b = append(b, key.query...)
	b = append(b, clock[:]...)
	b = append(b, "&X-Amz-Expires="...)
	b = strconv.AppendInt(b, int64(expires/time.Second), 10)
	b = append(b, key.tail...)
	b = append(b, "&X-Amz-SignedHeaders=host"...)
	b = appendParameter(b, "response-content-disposition", r.ContentDisposition)
	b = appendParameter(b, "response-content-type", r.ContentType)
	b = appendParameter(b, "versionId", r.VersionID)
	if t.payer {
		b = append(b, "&x-amz-request-payer=requester"...)
	}
	return b
}

// keyFor returns the signing key of c for the day. It derives a new key only if the last
// one belongs to another credential or day.
func (t *target) keyFor(c *aws.Credentials, day int64) *signingKey {
	key := t.key.Load()
	if !key.holds(c, day) {
		key = newSigningKey(c, day, t.region)
		t.key.Store(key)
	}
	return key
}

// scratchFor returns a scratch whose HMAC has the key.
func (t *target) scratchFor(key *signingKey) *scratch {
	s, _ := t.pool.Get().(*scratch)
	if s == nil {
		s = new(scratch)
	}
	if s.key != key {
		s.key, s.mac = key, hmac.New(sha256.New, key.derived)
	}
	return s
}
