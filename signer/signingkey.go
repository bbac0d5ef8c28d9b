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

// signingKey is everything about a signature that holds for one credential,
// one UTC day and one region: the derived key and the parts of the query and
// of the string to sign that follow from them.
type signingKey struct {
	accessKeyID string
	secret      string
	token       string
	day         int64 // Unix seconds of the day's start, UTC

	derived []byte
	scope   string // 20130524/us-east-1/s3/aws4_request
	date    string // 20130524
	query   string // the canonical query up to and with the date
	tail    string // the token's parameter, with its '&'; empty without one
}

// holds reports whether k may sign with c on that day. It compares the secret
// and not only its id: an id may keep its name while its secret is rotated,
// and the new secret must count from the next signature on.
func (k *signingKey) holds(c *aws.Credentials, day int64) bool {
	return k != nil && k.day == day && k.accessKeyID == c.AccessKeyID &&
		k.secret == c.SecretAccessKey && k.token == c.SessionToken
}

// newSigningKey derives the key of c for the day that begins at the Unix
// second day (AWS, "Create a signed AWS API request", step 4: date, region,
// service and a constant, each one HMAC under the key before it).
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
