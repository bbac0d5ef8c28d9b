package signer

import (
	"crypto/hmac"
	"crypto/sha256"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
)

const (
	algorithm = "AWS4-HMAC-SHA256"
	service   = "s3"
)

// signingKey holds the parts of a signature that stay the same for one credential, one UTC
// day and one region: the derived key, and parts of the query and of the string to sign.
type signingKey struct {
	accessKeyID string
	secret      string
	token       string
	day         int64 // Unix seconds of the day's start, UTC

	derived []byte
	scope   string // 20130524/us-east-1/s3/aws4_request
	date    string // 20130524
	query   string // the canonical query up to the date, inclusive
	tail    string // the parameter of the session token, with its '&'; empty: no token
}

// holds reports whether k belongs to c and that day. It compares the secret too, because
// an operator can rotate the secret of an access key id, and the next signature must use
// the new secret.
func (k *signingKey) holds(c *aws.Credentials, day int64) bool {
	return k != nil && k.day == day && k.accessKeyID == c.AccessKeyID &&
		k.secret == c.SecretAccessKey && k.token == c.SessionToken
}

// newSigningKey derives the key of c for the day that begins at the Unix second day (AWS,
// "Create a signed AWS API request", step 4): HMACs of the date, the region, the service
// and a constant, each with the previous result as its key.
func newSigningKey(c *aws.Credentials, day int64, region string) *signingKey {
	date := time.Unix(day, 0).UTC().Format("20060102")
	scope := date + "/" + region + "/" + service + "/aws4_request"

	derived := []byte("AWS4" + c.SecretAccessKey)
	for _, part := range [...]string{date, region, service, "aws4_request"} {
		mac := hmac.New(sha256.New, derived)
		mac.Write([]byte(part))
		derived = mac.Sum(nil)
	}

	query := appendEscaped([]byte("X-Amz-Algorithm="+algorithm+"&X-Amz-Credential="), c.AccessKeyID+"/"+scope, false)
	return &signingKey{
		accessKeyID: c.AccessKeyID,
		secret:      c.SecretAccessKey,
		token:       c.SessionToken,
		day:         day,
		derived:     derived,
		scope:       scope,
		date:        date,
		query:       string(query) + "&X-Amz-Date=" + date,
		tail:        string(appendParameter(nil, "X-Amz-Security-Token", c.SessionToken)),
	}
}
