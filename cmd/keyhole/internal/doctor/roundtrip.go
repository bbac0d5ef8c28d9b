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
	// urlLifetime is how long the doctor's URLs live.
	urlLifetime = 30 * time.Second
	// longExpired is the age of the URL that must be refused: more than its lifetime and
	// any margin of a storage.
	longExpired = 10 * time.Minute
	// maxErrorBody bounds how much of a storage's error is read, in bytes.
	maxErrorBody = 64 << 10
)

// reply is a storage's answer to a recipient. The doctor never keeps the object itself.
type reply struct {
	status int
	code   string // of an S3 error; empty if the body is not an S3 error
	header http.Header
}

// delivered tells whether the answer contains the object.
func (r *reply) delivered() bool {
	return r.status == http.StatusOK || r.status == http.StatusPartialContent
}

// accepted tells whether the storage accepted the signature: it answers with the object, or
// that the object does not exist.
func (r *reply) accepted() bool { return r.delivered() || r.code == "NoSuchKey" }

// String returns status and code.
func (r *reply) String() string {
	return fmt.Sprintf("%d %s", r.status, r.code)
}

// roundTrip does with the URLs of a bucket what recipients do, and what must be refused.
// Without a sample it requests an object that does not exist.
func (e *storageExam) roundTrip(ctx context.Context, bucket string, found *sample) {
	origin, _ := e.storage.Signer.Origin(bucket)
	if e.config.ClearText() {
		e.warn(checkPublic, origin+" uses plain http: anyone on the network path can read the object",
			"set a public_endpoint with https for the storage")
	}
	request := signer.Request{
		Method: http.MethodGet, Bucket: bucket, Key: "keyhole-doctor-" + rand.Text(),
		Lifetime: urlLifetime,
	}
	if found != nil {
		request.Key = found.key
		request.ContentDisposition, request.ContentType = askedDisposition, askedType
	}
	// The order of the checks matters: each one assumes that those before it succeeded.
	signed, ok := e.presign(ctx, checkDelivery, e.storage.Signer, request)
	if !ok {
		return
	}
	recipient, answer := e.reach(ctx, origin, signed)
	if answer == nil {
		return
	}
	if found == nil && answer.code == "AccessDenied" {
		// The refusal of an expired URL would prove nothing.
		e.warn(checkDelivery, origin+" answers 403 for a missing object, so the delivery of objects is not checked",
			"allow the credentials to list the bucket and to read an object in it, and run keyhole doctor again")
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

// presign signs a URL. If that fails, the check fails.
func (e *storageExam) presign(ctx context.Context, check string, s *signer.Signer,
	request signer.Request,
) (signed string, ok bool) {
	got, err := s.Presign(ctx, request)
	if err != nil {
		e.fail(check, "signing failed: "+err.Error(), "see the findings about the credentials")
	}
	return got.URL, err == nil
}

// reach requests a URL as a recipient, and checks the certificate of the public endpoint.
// It returns the client that reached the endpoint and the answer, which is nil if there was
// none.
func (e *storageExam) reach(ctx context.Context, origin, signed string) (*http.Client, *reply) {
	// First with the system's authorities, as recipients have them. If only ca_file makes the
	// certificate valid, the other checks go on with it, after a warning.
	strangers := recipient(nil, e.config.Timeout)
	answer, err := asRecipient(ctx, strangers, http.MethodGet, signed)
	var (
		untrusted *tls.CertificateVerificationError
		authority x509.UnknownAuthorityError
	)
	if errors.As(err, &untrusted) && errors.As(err, &authority) && e.storage.Roots != nil {
		insiders := recipient(e.storage.Roots, e.config.Timeout)
		if answer, err := asRecipient(ctx, insiders, http.MethodGet, signed); err == nil {
			e.warn(checkPublic,
				"only ca_file makes the certificate of "+origin+" valid: clients without that authority refuse it",
				"use a certificate of a public authority, or install this authority for all recipients")
			return insiders, answer
		}
	}
	switch {
	case err == nil:
		e.ok(checkPublic, "%s responds", origin)
		return strangers, answer
	case errors.As(err, &untrusted):
		e.fail(checkPublic, "the certificate of "+origin+" is not valid for recipients: "+untrusted.Err.Error(),
			"use a certificate for its name, from an authority that recipients trust")
	default:
		e.fail(checkPublic, origin+" is unreachable: "+lastReason(err),
			"set public_endpoint of the storage to the address that recipients use, and run keyhole doctor where that "+
				"address resolves")
	}
	return nil, nil
}

// deliver checks the answer to a GET, and repeats the request with HEAD: download managers
// send a HEAD first, and a signature covers the method. It returns whether the checks
// after it make sense.
func (e *storageExam) deliver(ctx context.Context, client *http.Client, origin string, request signer.Request,
	found *sample, got *reply,
) bool {
	switch {
	case found == nil && got.accepted():
		e.ok(checkDelivery, "%s accepts presigned URLs", origin)
		return true
	case !got.delivered() || found != nil && found.info.ETag != "" && got.header.Get("ETag") == "":
		message, do := whyNotDelivered(got)
		e.fail(checkDelivery, origin+" "+message, do)
		return false
	case found.info.ETag != "" && got.header.Get("ETag") != found.info.ETag:
		e.fail(checkDelivery, origin+" delivers another object than endpoint under the same key",
			"check that endpoint and public_endpoint of the storage lead to the same storage")
		return false
	}
	request.Method = http.MethodHead
	signed, ok := e.presign(ctx, checkDelivery, e.storage.Signer, request)
	if !ok {
		return false
	}
	head, err := asRecipient(ctx, client, http.MethodHead, signed)
	if err != nil || !head.delivered() {
		e.fail(checkDelivery, origin+" accepts a GET and refuses a HEAD that was signed as HEAD",
			"check that no proxy in front of the storage turns HEAD into GET")
		return false
	}
	e.ok(checkDelivery, "a presigned GET and HEAD through %s deliver an object", origin)
	return true
}

// The headers that the doctor's URLs request.
const (
	askedName        = "keyhole doctor.txt"
	askedDisposition = `attachment; filename="` + askedName + `"`
	askedType        = "application/x-keyhole-doctor"
)

// headers checks that the answer has the headers that the URL requests. Without them,
// browsers open files that they should save.
func (e *storageExam) headers(origin string, got *reply) {
	const do = "configure the proxy or CDN in front of the storage to forward the query unchanged, to cache by " +
		"the whole query, and to keep these headers; or set public_endpoint to the storage itself"
	disposition, parameters, err := mime.ParseMediaType(got.header.Get("Content-Disposition"))
	media, _, typeErr := mime.ParseMediaType(got.header.Get("Content-Type"))
	switch {
	case err != nil || disposition != gateway.DispositionAttachment || parameters["filename"] != askedName:
		e.fail(checkHeaders, origin+" ignores response-content-disposition: "+
			"its Content-Disposition is not the requested one, so browsers open files inline, also HTML with scripts, that "+
			"they should save", do)
	case typeErr != nil || media != askedType:
		e.fail(checkHeaders, origin+" ignores response-content-type: "+
			"its Content-Type is not the requested one, so a file that is shown inline may have another type than the "+
			"approved one", do)
	default:
		e.ok(checkHeaders, "files have the requested name, type and disposition")
	}
}

// whyNotDelivered explains the refusal of a valid URL. Most refusals come from a proxy in
// front of the storage, because the service's own requests to endpoint have succeeded.
func whyNotDelivered(got *reply) (message, do string) {
	switch {
	case got.code == "SignatureDoesNotMatch":
		return "refuses the signature, because it receives another host or path than the signed one",
			"configure the proxy in front of the storage to forward Host and path unchanged, or set public_endpoint to the " +
				"host that the storage receives"
	case got.code == "AuthorizationQueryParametersError", got.code == "AuthorizationHeaderMalformed",
		got.code == "PermanentRedirect", got.code == "IllegalLocationConstraintException":
		return "reports a wrong region: " + got.String(), "set region of the storage to the region of its buckets"
	case got.status/100 == 3:
		return fmt.Sprintf("redirects with %d", got.status),
			"set public_endpoint of the storage to the target of the redirect, and region to the region of its buckets"
	case got.code == "AccessDenied", got.code == "RequestTimeTooSkewed":
		return "refuses a request that endpoint accepts: " + got.String(),
			"check whether a bucket policy allows only some networks, and whether both have the same time"
	case got.code == "":
		return fmt.Sprintf("is not an S3 server: it answers %d without an S3 error", got.status),
			"set public_endpoint of the storage to an address that leads to the storage itself"
	}
	return "refuses a presigned URL: " + got.String(), "see this code in the manual of the storage"
}

// tamper checks that the storage verifies signatures. untouched is the answer to the URL
// with its right signature.
func (e *storageExam) tamper(ctx context.Context, client *http.Client, signed string, untouched *reply) {
	// The signature is the last parameter, in hexadecimal digits. Another digit makes another
	// signature.
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
		e.fail(checkSignature,
			"a URL with a wrong signature works: the storage, or a proxy in front of it, does not verify signatures",
			"close this access to the bucket: while it is open, links neither expire nor can be revoked")
	case got.code == untouched.code:
		e.warn(checkSignature, "right and wrong signatures get the same answer, so the credentials may be wrong",
			"check that key ID and secret belong together and to this storage, and are still valid")
	default:
		e.ok(checkSignature, "a URL with a wrong signature is refused")
	}
}

// outlive checks that URLs expire: it signs one by a clock of ten minutes ago. Waiting for
// the end of a URL would take longer, and would not exceed a storage's margin.
func (e *storageExam) outlive(ctx context.Context, client *http.Client, request signer.Request) {
	past := signer.NewClock(func() time.Time { return e.storage.Clock.Now().Add(-longExpired) })
	old, err := server.NewSigner(ctx, e.config, e.storage.Credentials, past)
	if err != nil {
		e.fail(checkExpiry, "signing failed: "+err.Error(), "see the findings about the credentials")
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
		e.fail(checkExpiry, "a URL that expired minutes ago works",
			"correct the storage's clock, or ask its operator: downloads would not expire")
	default:
		e.ok(checkExpiry, "an expired URL is refused")
	}
}

// anonymous checks that the bucket is private. The links of a public bucket protect nothing.
func (e *storageExam) anonymous(ctx context.Context, client *http.Client, signed, key string) {
	u, err := url.Parse(signed)
	if err != nil {
		e.fail(checkAnonymous, "the signed URL is invalid", "report this as a bug")
		return
	}
	// Both requests have no signature: one for the object, one for the list of the bucket.
	// A public bucket may allow either.
	u.RawQuery = ""
	object := u.String()
	u.RawPath, u.Path = "", strings.TrimSuffix(u.Path, key) // the bucket remains
	u.RawQuery = "list-type=2&max-keys=1"
	read, readErr := asRecipient(ctx, client, http.MethodGet, object)
	list, listErr := asRecipient(ctx, client, http.MethodGet, u.String())
	const do = "make the bucket private, by AWS's Block Public Access or by its policy and ACLs: everyone can read its " +
		"objects without a link"
	switch {
	case readErr != nil || listErr != nil:
		e.fail(checkAnonymous, "the last requests failed", "run keyhole doctor again")
	case list.status == http.StatusOK:
		e.fail(checkAnonymous, "the bucket is public: everyone can list it", do)
	case read.accepted():
		e.fail(checkAnonymous, "the bucket is public: everyone can read objects whose keys they know", do)
	default:
		e.ok(checkAnonymous, "requests without a signature are refused")
	}
}

// recipient returns a client like a recipient's: it has no credentials. It follows no
// redirects, because the first answer is checked.
func recipient(roots *x509.CertPool, timeout time.Duration) *http.Client {
	// A clone keeps the system's proxy settings, as recipients have them.
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.TLSClientConfig = &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
	return &http.Client{
		Transport: transport, Timeout: timeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// asRecipient requests a URL and reads one byte of an object. Its errors do not contain
// the URL, which is a secret until it expires.
func asRecipient(ctx context.Context, client *http.Client, method, address string) (*reply, error) {
	r, err := http.NewRequestWithContext(ctx, method, address, http.NoBody)
	if err != nil {
		return nil, errors.New("the URL is invalid")
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
		// A large object is not read to its end.
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
