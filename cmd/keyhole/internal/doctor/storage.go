package doctor

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/smithy-go"

	"keyhole/cmd/keyhole/internal/server"
	"keyhole/config"
	"keyhole/gateway"
	"keyhole/gateway/objects"
)

// The checks of a storage and of its buckets.
const (
	checkCredentials = "credentials"
	checkClock       = "clock"
	checkBucket      = "bucket"
	checkList        = "list"
	checkRead        = "read"
	checkVersions    = "versions"
	checkETags       = "etags"
	checkPublic      = "public"    // the way through the public endpoint
	checkDelivery    = "delivery"  // a presigned GET and HEAD
	checkHeaders     = "headers"   // what a presigned URL asks the storage to answer with
	checkSignature   = "signature" // one that was tampered with
	checkExpiry      = "expiry"
	checkAnonymous   = "anonymous"
)

const (
	// soonExpired is the life of credentials under which the doctor warns.
	soonExpired = 15 * time.Minute
	// sampled is how many objects it looks at for one to try with.
	sampled = 100
)

// storageExam is the examination of one storage.
type storageExam struct {
	*examination
	config  *config.Storage
	storage *server.Storage
	subject string // a storage or a bucket, of what is noted
}

// examineStorage tries one storage and its buckets. The error is one of the
// configuration, which serve would end with too.
func (x *examination) examineStorage(ctx context.Context, c *config.Storage, metrics *gateway.Metrics) error {
	s, err := server.OpenStorage(ctx, c, metrics)
	if err != nil {
		return server.StorageError(c.Name, err)
	}
	e := &storageExam{examination: x, config: c, storage: s, subject: c.Name}
	if !e.credentials(ctx) {
		return nil
	}
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

// ok, warn and fail note what a check came to.
func (e *storageExam) ok(check, format string, args ...any) {
	e.note(finding{e.subject, check, levelOK, fmt.Sprintf(format, args...), ""})
}

func (e *storageExam) warn(check, message, do string) {
	e.note(finding{e.subject, check, levelWarning, message, do})
}

func (e *storageExam) fail(check, message, do string) {
	e.note(finding{e.subject, check, levelFailure, message, do})
}

// credentials tells whether there are any, and for how long.
func (e *storageExam) credentials(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, e.config.Timeout)
	defer cancel()
	c, err := e.storage.Credentials.Retrieve(ctx)
	if err != nil {
		do := "set access_key_id and secret_access_key_file of the storage, or give the AWS SDK's default chain credentials: environment, profile, web identity, container or instance"
		if e.config.AccessKeyID != "" {
			do = "see that secret_access_key_file of the storage can be read and holds the secret"
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
			"see that their source gives new ones in time: keyhole_storage_credentials_expiry_timestamp_seconds shows it")
	default:
		e.ok(checkCredentials, "expire in %s, and are asked for anew before", roughly(left))
	}
	return true
}

// clock tells how far the storage's clock and this machine's are apart.
func (e *storageExam) clock() {
	skew, known := e.storage.Clock.Skew()
	switch {
	case !known: // what keeps it from answering is said of its bucket
	case skew.Abs() >= gateway.NotableSkew:
		which := "ahead of"
		if skew < 0 {
			which = "behind"
		}
		e.warn(checkClock, fmt.Sprintf("the storage's clock is %s %s this machine's; URLs are signed by the storage's, so links work", roughly(skew.Abs()), which),
			"set the clock that is wrong, by NTP; credentials of other sources may be judged by this machine's")
	default:
		e.ok(checkClock, "within %s of this machine's", gateway.NotableSkew)
	}
}

// bucket tells whether the bucket is there, and what may be done with it. It
// returns an object to try with, if it finds one, and whether trying makes sense.
func (e *storageExam) bucket(ctx context.Context, bucket string, health objects.Health, err error) (sample *sample, reachable bool) {
	switch health {
	case objects.HealthOK:
		e.ok(checkBucket, "is there")
	case objects.HealthMissing:
		e.fail(checkBucket, "the storage has no such bucket", "correct buckets of the storage, or its endpoint or region; a bucket's name is the whole of it, without s3:// and without a path")
		return nil, false
	case objects.HealthRegion:
		var elsewhere *objects.RegionError
		errors.As(err, &elsewhere)
		e.fail(checkBucket, fmt.Sprintf("it is in the region %s, and region of the storage says %s", elsewhere.Region, elsewhere.Configured),
			"set region of the storage to that; buckets in another region need a storage of their own")
		return nil, false
	case objects.HealthUnavailable:
		e.fail(checkBucket, "the storage cannot be asked: "+lastReason(err),
			"see that endpoint of the storage is right, resolves and can be reached from here, and that ca_file holds its authority")
		return nil, false
	}
	return e.contents(ctx, bucket)
}

// sample is an object to try with.
type sample struct {
	key  string
	info gateway.ObjectInfo
}

// contents tells whether the bucket may be listed and its objects read.
func (e *storageExam) contents(ctx context.Context, bucket string) (*sample, bool) {
	page, err := e.storage.Objects.List(ctx, gateway.KeyQuery{Bucket: bucket, Limit: sampled})
	var said smithy.APIError
	switch {
	case errors.As(err, &said) && slices.Contains([]string{"SignatureDoesNotMatch", "InvalidAccessKeyId", "InvalidToken", "ExpiredToken"}, said.ErrorCode()):
		e.fail(checkCredentials, "the storage does not take them: "+said.ErrorCode(),
			"see that key ID and secret belong together, to this storage, and are still in force")
		return nil, false
	case errors.Is(err, gateway.ErrObjectNotReadable):
		e.warn(checkList, "the service's credentials may not list the bucket: S3 then answers 403 for what is gone, so a click on a deleted object is 503 instead of 410, a mistyped key is refused as not readable, and keyhole objects cannot browse",
			"allow them s3:ListBucket on the bucket (deploy/iam)")
		return nil, true
	case err != nil:
		e.fail(checkList, "the bucket cannot be listed: "+lastReason(err), "ask the storage's operator what this means")
		return nil, true
	}
	e.ok(checkList, "may be listed")
	return e.readable(ctx, bucket, page.Objects), true
}

// readable tells whether the first object that can be shared can be read.
func (e *storageExam) readable(ctx context.Context, bucket string, listed []gateway.ObjectEntry) *sample {
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
			e.fail(checkRead, "the service's credentials may not read the objects", "allow them s3:GetObject on the bucket's objects (deploy/iam)")
			return nil
		case errors.Is(err, gateway.ErrObjectKMS):
			e.fail(checkRead, "the service's credentials may not use the key of KMS that objects are encrypted with", "allow them kms:Decrypt on that key")
			return nil
		case errors.Is(err, gateway.ErrUnavailable):
			e.fail(checkRead, "an object cannot be asked for: "+lastReason(err), "ask the storage's operator what this means")
			return nil
		}
		// Archived, under a customer's key, or gone meanwhile: the next may do.
	}
	e.warn(checkRead, fmt.Sprintf("there is no object to try with among the first %d", sampled), "put one there, and run keyhole doctor again")
	return nil
}

// versions tells whether versions may be read where the bucket keeps any.
func (e *storageExam) versions(ctx context.Context, bucket, key string, proven gateway.ObjectInfo) {
	current, err := e.storage.Objects.Stat(ctx, bucket, key, "")
	switch {
	case err != nil || current.VersionID == "":
	case proven.VersionID == "":
		e.warn(checkVersions, "the bucket keeps versions, and the service's credentials may not read one by its ID: links are pinned to the ETag, and stop when the object is replaced",
			"allow them s3:GetObjectVersion on the bucket's objects (deploy/iam)")
	default:
		e.ok(checkVersions, "are kept, and may be read")
	}
}

// etags tells whether links can be pinned to the objects that were listed. proven is
// one of them.
func (e *storageExam) etags(
	ctx context.Context, bucket string, listed []gateway.ObjectEntry, proven gateway.ObjectInfo,
) {
	without := proven.ETag == "" && proven.VersionID == ""
	for _, entry := range listed {
		if without || entry.ETag != "" || strings.HasSuffix(entry.Key, "/") {
			continue
		}
		// A listing may leave out what a HEAD says.
		info, err := e.storage.Objects.Stat(ctx, bucket, entry.Key, "")
		without = err == nil && info.ETag == "" && info.VersionID == ""
		break
	}
	if without {
		e.warn(checkETags, "objects have neither a version nor an ETag: links to them cannot be pinned, "+
			"so a link delivers whatever replaces the object, and sensitive objects need the pin none",
			"store objects through the S3 API, not straight into the server's directory, or turn on versioning")
		return
	}
	e.ok(checkETags, "links can be pinned to a version or an ETag")
}

// lastReason returns the innermost cause of an error: what the network or the
// storage said.
func lastReason(err error) string {
	var said smithy.APIError
	if errors.As(err, &said) {
		return said.ErrorCode()
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return "no answer in time"
	}
	for {
		inner := errors.Unwrap(err)
		if joined, ok := err.(interface{ Unwrap() []error }); ok && inner == nil {
			all := joined.Unwrap()
			inner = all[len(all)-1]
		}
		if inner == nil {
			return err.Error()
		}
		err = inner
	}
}
