package doctor

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"keyhole/cmd/keyhole/internal/server"
	"keyhole/config"
	"keyhole/gateway"
	"keyhole/gateway/objects"
)

// The checks of a storage and of its buckets, in their order. They are part of the output
// of --json.
const (
	checkCredentials = "credentials"
	checkClock       = "clock"
	checkBucket      = "bucket"    // exists, in the configured region
	checkList        = "list"      // without this right S3 hides that an object is missing
	checkRead        = "read"      // an object, as the issue of a link does
	checkVersions    = "versions"  // of a bucket that keeps them
	checkETags       = "etags"     // to which links are pinned in other buckets
	checkPublic      = "public"    // the way through the public endpoint
	checkDelivery    = "delivery"  // a presigned GET and HEAD
	checkHeaders     = "headers"   // what a presigned URL asks the storage to answer with
	checkSignature   = "signature" // one that was tampered with
	checkExpiry      = "expiry"
	checkAnonymous   = "anonymous"
)

const (
	// soonExpired is the remaining life of credentials below which the doctor warns.
	soonExpired = 15 * time.Minute
	// sampled is the number of listed objects among which the doctor finds a readable one.
	sampled = 100
)

// storageExam is the examination of one storage. It uses the clients of the server, so it
// fails where the server would fail.
type storageExam struct {
	*examination
	config  *config.Storage
	storage *server.Storage
	subject string // a storage or a bucket, of what is noted
}

// examineStorage checks one storage and its buckets. It returns an error only for a
// mistake in the configuration, with which serve ends too.
func (x *examination) examineStorage(ctx context.Context, c *config.Storage, metrics *gateway.Metrics) error {
	s, err := server.OpenStorage(ctx, c, metrics)
	if err != nil {
		return server.StorageError(c.Name, err)
	}
	e := &storageExam{examination: x, config: c, storage: s, subject: storageSubject(c.Name)}
	if !e.credentials(ctx) {
		return nil
	}
	// Without credentials nothing else can be checked. Each bucket is checked by itself: they
	// may differ in region, policy and versioning.
	for i, bucket := range c.Buckets {
		health, err := s.Objects.CheckBucket(ctx, bucket)
		if i == 0 { // the first answer tells the time
			e.clock()
		}
		e.subject = c.Name + ":" + bucket
		if sample, reachable := e.bucket(ctx, bucket, health, err); reachable {
			e.roundTrip(ctx, bucket, sample)
		}
	}
	return nil
}

// storageSubject returns the subject of findings about a storage: its name, unless that is
// the subject of other findings. No name of a storage contains a slash.
func storageSubject(name string) string {
	switch name {
	case redisSubject, providerSubject, publicSubject:
		return "storage/" + name
	}
	return name
}

// ok, warn and fail add the result of a check.
func (e *storageExam) ok(check, format string, args ...any) {
	e.note(finding{Subject: e.subject, Check: check, Level: levelOK, Message: fmt.Sprintf(format, args...)})
}

func (e *storageExam) warn(check, message, do string) {
	e.note(finding{Subject: e.subject, Check: check, Level: levelWarning, Message: message, Do: do})
}

func (e *storageExam) fail(check, message, do string) {
	e.note(finding{Subject: e.subject, Check: check, Level: levelFailure, Message: message, Do: do})
}

// credentials checks that there are credentials, and how long they live. It returns
// whether requests can be signed at all.
func (e *storageExam) credentials(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, e.config.Timeout)
	defer cancel()
	c, err := e.storage.Credentials.Retrieve(ctx)
	if err != nil {
		do := "set access_key_id and secret_access_key_file of the storage, or provide credentials to the AWS SDK's " +
			"default chain: environment, profile, web identity, container or instance"
		if e.config.AccessKeyID != "" {
			do = "check that secret_access_key_file of the storage is readable and contains the secret"
		}
		e.fail(checkCredentials, err.Error(), do)
		return false
	}
	left := c.Expires.Sub(e.storage.Clock.Now())
	switch {
	case !c.CanExpire:
		e.ok(checkCredentials, "do not expire")
	case left < soonExpired:
		e.warn(checkCredentials, fmt.Sprintf("expire in %s; no URL outlives them", roughly(left)),
			"check that their source renews them in time: see keyhole_storage_credentials_expiry_timestamp_seconds")
	default:
		e.ok(checkCredentials, "expire in %s, and are renewed before", roughly(left))
	}
	return true
}

// clock compares the storage's clock with this machine's. URLs are signed by the storage's
// clock, so a difference breaks no link, but it confuses people who compare logs.
func (e *storageExam) clock() {
	skew, known := e.storage.Clock.Skew()
	switch {
	case !known: // the finding of its bucket says why
	case skew.Abs() >= gateway.NotableSkew:
		which := "ahead of"
		if skew < 0 {
			which = "behind"
		}
		e.warn(checkClock,
			fmt.Sprintf("the storage's clock is %s %s this machine's; links work, because URLs are signed by the storage's "+
				"clock", roughly(skew.Abs()), which),
			"repair NTP on the machine whose clock is wrong; other sources of credentials may use this machine's clock")
	default:
		e.ok(checkClock, "within %s of this machine's", gateway.NotableSkew)
	}
}

// bucket checks that the bucket exists, and its rights. It returns a readable object, if it
// finds one, and whether further checks make sense.
func (e *storageExam) bucket(ctx context.Context, bucket string, health objects.Health, err error) (sample *sample,
	reachable bool,
) {
	switch health {
	case objects.HealthOK:
		e.ok(checkBucket, "exists")
	case objects.HealthMissing:
		e.fail(checkBucket, "the storage has no such bucket",
			"correct buckets, endpoint or region of the storage; a bucket is named without s3:// and without a path")
		return nil, false
	case objects.HealthRegion:
		var elsewhere *objects.RegionError
		errors.As(err, &elsewhere)
		e.fail(checkBucket, fmt.Sprintf("the bucket is in the region %s, but region of the storage is %s", elsewhere.Region,
			elsewhere.Configured),
			"correct region of the storage; buckets in another region need another storage")
		return nil, false
	case objects.HealthUnavailable:
		e.fail(checkBucket, "the storage is unreachable: "+lastReason(err),
			"check that endpoint of the storage is right and reachable from here, and that ca_file contains its authority")
		return nil, false
	}
	return e.contents(ctx, bucket)
}

// sample is a readable object.
type sample struct {
	key  string
	info gateway.ObjectInfo
}

// contents checks that the bucket may be listed and its objects read. Without the right
// to list, the examination goes on without a sample.
func (e *storageExam) contents(ctx context.Context, bucket string) (*sample, bool) {
	// Wrong credentials show here: the check of the bucket gets 403 without a reason.
	page, err := e.storage.Objects.List(ctx, gateway.KeyQuery{Bucket: bucket, Limit: sampled})
	var said smithy.APIError
	switch {
	case errors.As(err, &said) &&
		slices.Contains([]string{"SignatureDoesNotMatch", "InvalidAccessKeyId", "InvalidToken", "ExpiredToken"},
			said.ErrorCode()):
		e.fail(checkCredentials, "the storage refuses them: "+said.ErrorCode(),
			"check that key ID and secret belong together and to this storage, and are still valid")
		return nil, false
	case errors.Is(err, gateway.ErrObjectNotReadable):
		e.warn(checkList,
			"the service's credentials may not list the bucket, so S3 answers 403 for missing objects: a click on a deleted "+
				"object is answered with 503 instead of 410, a mistyped key is refused as not readable, and keyhole objects "+
				"cannot browse",
			"allow them s3:ListBucket on the bucket (deploy/iam)")
		return nil, true
	case err != nil:
		e.fail(checkList, "listing the bucket failed: "+strings.TrimPrefix(lastReason(err), "list: "),
			"ask the operator of the storage")
		return nil, true
	}
	e.ok(checkList, "may be listed")
	return e.readable(ctx, bucket, page.Objects), true
}

// readable checks that the first object that can be shared can be read. It proves the object
// as an issue does: by a HEAD and by one byte.
func (e *storageExam) readable(ctx context.Context, bucket string, listed []gateway.ObjectEntry) *sample {
	// Folders and keys that no link can name are left out.
	for _, entry := range listed {
		if strings.HasSuffix(entry.Key, "/") || !gateway.Shareable(entry.Key) {
			continue
		}
		info, err := e.storage.Objects.Prove(ctx, bucket, entry.Key, "")
		switch {
		case err == nil:
			e.ok(checkRead, "objects may be read")
			e.versions(ctx, bucket, entry.Key, info)
			e.etags(ctx, bucket, listed, info)
			return &sample{entry.Key, info}
		case errors.Is(err, gateway.ErrObjectNotReadable):
			e.fail(checkRead, "the service's credentials may not read the objects",
				"allow them s3:GetObject on the bucket's objects (deploy/iam)")
			return nil
		case errors.Is(err, gateway.ErrObjectKMS):
			e.fail(checkRead, "the service's credentials may not use the KMS key with which objects are encrypted",
				"allow them kms:Decrypt on that key")
			return nil
		case errors.Is(err, gateway.ErrUnavailable):
			e.fail(checkRead, "reading an object failed: "+lastReason(err), "ask the operator of the storage")
			return nil
		}
		// Archived, encrypted with a customer's key, or deleted meanwhile: try the next.
	}
	e.warn(checkRead, fmt.Sprintf("no readable object among the first %d", sampled),
		"upload an object, and run keyhole doctor again")
	return nil
}

// versions checks that versions may be read, if the bucket keeps versions. S3 has a right
// of its own for reading a version by its ID, which policies often forget.
func (e *storageExam) versions(ctx context.Context, bucket, key string, proven gateway.ObjectInfo) {
	current, err := e.storage.Objects.Stat(ctx, bucket, key, "")
	switch {
	case err != nil || current.VersionID == "":
	case proven.VersionID == "":
		e.warn(checkVersions,
			"the bucket keeps versions, but the service's credentials may not read a version by its ID: links are pinned to "+
				"the ETag and stop working when the object is replaced",
			"allow them s3:GetObjectVersion on the bucket's objects (deploy/iam)")
	default:
		e.ok(checkVersions, "are kept, and may be read")
	}
}

// etags checks that links can be pinned to the listed objects. proven is one of them. Some
// S3 servers over a directory have no ETag for files that were not stored through S3.
func (e *storageExam) etags(
	ctx context.Context, bucket string, listed []gateway.ObjectEntry, proven gateway.ObjectInfo,
) {
	// The proven object and one more without an ETag in the listing are enough.
	without := proven.ETag == "" && proven.VersionID == ""
	for _, entry := range listed {
		if without || entry.ETag != "" || strings.HasSuffix(entry.Key, "/") {
			continue
		}
		// Some storages omit the ETag in listings.
		info, err := e.storage.Objects.Stat(ctx, bucket, entry.Key, "")
		without = err == nil && info.ETag == "" && info.VersionID == ""
		break
	}
	if without {
		e.warn(checkETags, "objects have neither a version nor an ETag, so links cannot be pinned: "+
			"a link delivers any object that replaces the approved one, and sensitive objects need the pin none",
			"store objects through the S3 API instead of the server's directory, or turn on versioning")
		return
	}
	e.ok(checkETags, "links can be pinned to a version or an ETag")
}

// lastReason returns the innermost cause of an error, from the network or the storage.
// Outer errors are left out, because they may contain a signed URL.
func lastReason(err error) string {
	var said smithy.APIError
	if errors.As(err, &said) && !slices.Contains([]string{"", "UnknownError"}, said.ErrorCode()) {
		return said.ErrorCode()
	}
	// A proxy in front of the storage answers without the storage's code.
	var answered *smithyhttp.ResponseError
	if errors.As(err, &answered) && said != nil {
		return fmt.Sprintf("HTTP status %d", answered.HTTPStatusCode())
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return "no response in time"
	}
	for {
		inner := errors.Unwrap(err)
		if several, ok := err.(interface{ Unwrap() []error }); ok && inner == nil {
			all := several.Unwrap()
			inner = all[len(all)-1]
		}
		if inner == gateway.ErrUnavailable { //nolint:errorlint // Its own text is no cause, the text around it is.
			return strings.TrimPrefix(err.Error(), gateway.ErrUnavailable.Error()+": ")
		}
		if inner == nil {
			return err.Error()
		}
		err = inner
	}
}
