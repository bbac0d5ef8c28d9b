package doctor

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"time"

	"keyhole/cmd/keyhole/internal/server"
	"keyhole/gateway"
	"keyhole/signer"
)

const (
	// doctorLifetime is how long the doctor's URLs live.
	doctorLifetime = 30 * time.Second
	// longExpired is how long ago the one was signed that must be refused: more
	// than its life and any margin that a storage leaves.
	longExpired = 10 * time.Minute
	// maxErrorBody bounds what is read of a storage's error.
	maxErrorBody = 64 << 10
)

// reply is a storage's answer to a recipient.
type reply struct {
	status int
	code   string // of S3's error; empty where the body is none
	header http.Header
}

// delivered tells whether the answer is the object.
func (r *reply) delivered() bool {
	return r.status == http.StatusOK || r.status == http.StatusPartialContent
}

// accepted tells whether the storage took the signature: it answers with the
// object, or that there is none.
func (r *reply) accepted() bool { return r.delivered() || r.code == "NoSuchKey" }

// String is the status and the code.
func (r *reply) String() string {
	return fmt.Sprintf("%d %s", r.status, r.code)
}

// roundTrip does what recipients do with the URLs of a bucket, and what they
// should not be able to. Without a sample it asks for an object that is not there.
func (e *storageExam) roundTrip(ctx context.Context, bucket string, found *sample) {
	origin, _ := e.storage.Signer.Origin(bucket)
	if e.config.ClearText() {
		e.warn(checkPublic, origin+" is plain http: whoever listens on the way has the object", "give the storage a public_endpoint with https")
	}
	request := signer.Request{Method: http.MethodGet, Bucket: bucket, Key: "keyhole-doctor-" + rand.Text(), Lifetime: doctorLifetime}
	if found != nil {
		request.Key = found.key
		request.ContentDisposition, request.ContentType = askedDisposition, askedType
	}
	signed, ok := e.presign(ctx, checkDelivery, e.storage.Signer, request)
	if !ok {
		return
	}
	recipient, answer := e.reach(ctx, origin, signed)
	if answer == nil {
		return
	}
	if found == nil && answer.code == "AccessDenied" {
		// That an expired one is refused would say nothing.
		e.warn(checkDelivery, origin+" answers 403 for an object that is not there: that it delivers one that is, is not shown",
			"let the credentials list the bucket and read an object in it, and run keyhole doctor again")
		e.tamper(ctx, recipient, signed, answer)
	} else {
		if !e.deliver(ctx, recipient, origin, request, found, answer) {
			return
		}
		if found != nil {
			e.headers(origin, answer)
		}
		e.tamper(ctx, recipient, signed, answer)
		e.outlive(ctx, recipient, request)
	}
	e.anonymous(ctx, recipient, signed, request.Key)
}

// presign signs for the check, which fails where nothing can be signed.
func (e *storageExam) presign(ctx context.Context, check string, s *signer.Signer, request signer.Request) (signed string, ok bool) {
	got, err := s.Presign(ctx, request)
	if err != nil {
		e.fail(check, "nothing can be signed: "+err.Error(), "see what is said of the credentials")
	}
	return got.URL, err == nil
}

// reach asks for a URL as a recipient, and finds out whose authority vouches for
// the public endpoint. It returns the client that reached it and the answer, nil
// where none came.
func (e *storageExam) reach(ctx context.Context, origin, signed string) (*http.Client, *reply) {
	strangers := recipient(nil, e.config.Timeout)
	answer, err := asRecipient(ctx, strangers, http.MethodGet, signed)
	var (
		untrusted *tls.CertificateVerificationError
		authority x509.UnknownAuthorityError
	)
	if errors.As(err, &untrusted) && errors.As(err, &authority) && e.storage.Roots != nil {
		insiders := recipient(e.storage.Roots, e.config.Timeout)
		if answer, err := asRecipient(ctx, insiders, http.MethodGet, signed); err == nil {
			e.warn(checkPublic, "the certificate of "+origin+" is vouched for by ca_file alone: clients without that authority refuse it",
				"get a certificate of a public authority, or see that all recipients know this one")
			return insiders, answer
		}
	}
	switch {
	case err == nil:
		e.ok(checkPublic, "%s answers", origin)
		return strangers, answer
	case errors.As(err, &untrusted):
		e.fail(checkPublic, "the certificate of "+origin+" is not valid for recipients: "+untrusted.Err.Error(),
			"give the public endpoint a certificate for its name, of an authority that recipients know")
	default:
		e.fail(checkPublic, origin+" cannot be reached: "+lastReason(err),
			"set public_endpoint of the storage to the address by which recipients reach it, and run keyhole doctor where that address resolves")
	}
	return nil, nil
}

// deliver judges the answer to a GET, and asks once more with HEAD.
func (e *storageExam) deliver(ctx context.Context, client *http.Client, origin string, request signer.Request, found *sample, got *reply) bool {
	switch {
	case found == nil && got.accepted():
		e.ok(checkDelivery, "%s takes our signatures", origin)
		return true
	case !got.delivered() || found != nil && found.info.ETag != "" && got.header.Get("ETag") == "":
		message, do := whyNotDelivered(got)
		e.fail(checkDelivery, origin+" "+message, do)
		return false
	case found.info.ETag != "" && got.header.Get("ETag") != found.info.ETag:
		e.fail(checkDelivery, origin+" answers with another object than endpoint has under that key",
			"see that endpoint and public_endpoint of the storage lead to the same storage")
		return false
	}
	request.Method = http.MethodHead
	signed, ok := e.presign(ctx, checkDelivery, e.storage.Signer, request)
	if !ok {
		return false
	}
	head, err := asRecipient(ctx, client, http.MethodHead, signed)
	if err != nil || !head.delivered() {
		e.fail(checkDelivery, origin+" delivers a GET and refuses the HEAD that was signed for it", "see that no proxy before the storage turns HEAD into GET")
		return false
	}
	e.ok(checkDelivery, "a presigned GET and HEAD through %s deliver an object", origin)
	return true
}

// What the doctor's URLs ask the storage to answer with.
const (
	askedName        = "keyhole doctor.txt"
	askedDisposition = `attachment; filename="` + askedName + `"`
	askedType        = "application/x-keyhole-doctor"
)

// headers tells whether the answer has the headers that the URL asked for. Without
// them, browsers open files from the bucket's origin that should be saved.
func (e *storageExam) headers(origin string, got *reply) {
	const do = "make the proxy or CDN before the storage pass the query on unchanged, cache by all of it, " +
		"and leave these headers alone; or set public_endpoint to the storage itself"
	disposition, parameters, err := mime.ParseMediaType(got.header.Get("Content-Disposition"))
	media, _, typeErr := mime.ParseMediaType(got.header.Get("Content-Type"))
	switch {
	case err != nil || disposition != gateway.DispositionAttachment || parameters["filename"] != askedName:
		e.fail(checkHeaders, origin+" ignores response-content-disposition: "+
			"its Content-Disposition is not the one that was asked for, so browsers open files inline, HTML with its scripts, that a link should save", do)
	case typeErr != nil || media != askedType:
		e.fail(checkHeaders, origin+" ignores response-content-type: "+
			"its Content-Type is not the one that was asked for, so a file that is shown inline may be of another type than was approved", do)
	default:
		e.ok(checkHeaders, "files get the name, type and disposition that a link asks for")
	}
}

// whyNotDelivered explains the refusal of a good URL.
func whyNotDelivered(got *reply) (message, do string) {
	switch {
	case got.code == "SignatureDoesNotMatch":
		return "refuses our signature: it sees another host or path than was signed",
			"a proxy before the storage must pass Host and path on unchanged, or public_endpoint must be what the storage sees"
	case got.code == "AuthorizationQueryParametersError", got.code == "AuthorizationHeaderMalformed", got.code == "PermanentRedirect", got.code == "IllegalLocationConstraintException":
		return "says that the region is wrong: " + got.String(), "set region of the storage to that of its buckets"
	case got.status/100 == 3:
		return fmt.Sprintf("redirects with %d", got.status), "set public_endpoint of the storage to where it redirects to, and region to that of its buckets"
	case got.code == "AccessDenied", got.code == "RequestTimeTooSkewed":
		return "refuses what endpoint allows: " + got.String(),
			"see whether a policy of the bucket asks for an address or a network that recipients do not come from, and whether the two have the same time"
	case got.code == "":
		return fmt.Sprintf("is no S3 server: it answers %d and says nothing that S3 says", got.status), "set public_endpoint of the storage to the address by which recipients reach the storage itself"
	}
	return "refuses a presigned URL: " + got.String(), "look that code up in the storage's manual"
}

// tamper shows that a signature is looked at. untouched is what the URL was
// answered with before.
func (e *storageExam) tamper(ctx context.Context, client *http.Client, signed string, untouched *reply) {
	last := signed[len(signed)-1]
	flipped := byte('0')
	if last == '0' {
		flipped = '1'
	}
	got, err := asRecipient(ctx, client, http.MethodGet, signed[:len(signed)-1]+string(flipped))
	switch {
	case err != nil:
		e.fail(checkSignature, "the second request failed: "+lastReason(err), "run keyhole doctor again")
	case got.accepted():
		e.fail(checkSignature, "a URL with a wrong signature works: the storage, or a proxy before it, does not look at signatures",
			"close this way to the bucket: no link can be taken back and none expires while it is open")
	case got.code == untouched.code:
		e.warn(checkSignature, "a right signature and a wrong one are refused alike: the credentials may be wrong",
			"see that key ID and secret belong together, to this storage, and are still in force")
	default:
		e.ok(checkSignature, "one that was tampered with is refused")
	}
}

// outlive shows that a URL dies: it signs one by a clock of ten minutes ago.
func (e *storageExam) outlive(ctx context.Context, client *http.Client, request signer.Request) {
	past := signer.NewClock(func() time.Time { return e.storage.Clock.Now().Add(-longExpired) })
	old, err := server.NewSigner(ctx, e.config, e.storage.Credentials, past)
	if err != nil {
		e.fail(checkExpiry, "nothing can be signed: "+err.Error(), "see what is said of the credentials")
		return
	}
	signed, ok := e.presign(ctx, checkExpiry, old, request)
	if !ok {
		return
	}
	got, err := asRecipient(ctx, client, http.MethodGet, signed)
	switch {
	case err != nil:
		e.fail(checkExpiry, "the third request failed: "+lastReason(err), "run keyhole doctor again")
	case got.accepted():
		e.fail(checkExpiry, "a URL that expired minutes ago works", "set the storage's clock, or ask its operator: links would not end")
	default:
		e.ok(checkExpiry, "a URL that has expired is refused")
	}
}

// anonymous shows whether the bucket is public: then no link protects anything.
func (e *storageExam) anonymous(ctx context.Context, client *http.Client, signed, key string) {
	u, err := url.Parse(signed)
	if err != nil {
		e.fail(checkAnonymous, "the signed URL cannot be read", "report this")
		return
	}
	u.RawQuery = ""
	object := u.String()
	u.RawPath, u.Path = "", strings.TrimSuffix(u.Path, key) // what is left is the bucket
	u.RawQuery = "list-type=2&max-keys=1"
	read, readErr := asRecipient(ctx, client, http.MethodGet, object)
	list, listErr := asRecipient(ctx, client, http.MethodGet, u.String())
	const do = "close it: AWS's Block Public Access, or the bucket's policy and ACLs; every object in it is there for everybody, with or without a link"
	switch {
	case readErr != nil || listErr != nil:
		e.fail(checkAnonymous, "the last requests failed", "run keyhole doctor again")
	case list.status == http.StatusOK:
		e.fail(checkAnonymous, "the bucket is public: everybody can list it", do)
	case read.accepted():
		e.fail(checkAnonymous, "the bucket is public: everybody can read objects whose keys they know", do)
	default:
		e.ok(checkAnonymous, "without a signature nothing is listed or read")
	}
}

// recipient returns a client as recipients have them: without credentials, and
// without following, because it is the first answer that counts.
func recipient(roots *x509.CertPool, timeout time.Duration) *http.Client {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.TLSClientConfig = &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
	return &http.Client{
		Transport: transport, Timeout: timeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// asRecipient asks for a URL, of an object for its first byte. Its errors do not
// repeat the URL, which is a secret while it lives.
func asRecipient(ctx context.Context, client *http.Client, method, address string) (*reply, error) {
	r, err := http.NewRequestWithContext(ctx, method, address, http.NoBody)
	if err != nil {
		return nil, errors.New("the URL cannot be asked for")
	}
	answer, err := client.Do(r)
	if err != nil {
		var failed *url.Error
		if errors.As(err, &failed) {
			err = failed.Err
		}
		return nil, err
	}
	defer answer.Body.Close()
	got := &reply{status: answer.StatusCode, header: answer.Header}
	if got.delivered() {
		// The rest of a large object is not waited for.
		_, err = io.CopyN(io.Discard, answer.Body, 1)
		if errors.Is(err, io.EOF) {
			err = nil
		}
		return got, err
	}
	var said struct {
		XMLName xml.Name `xml:"Error"`
		Code    string   `xml:"Code"`
	}
	if xml.NewDecoder(io.LimitReader(answer.Body, maxErrorBody)).Decode(&said) == nil {
		got.code = said.Code
	}
	return got, nil
}
