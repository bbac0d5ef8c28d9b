package signer

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"regexp"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	smithyauth "github.com/aws/smithy-go/auth"
	smithyhttp "github.com/aws/smithy-go/transport/http"
	"golang.org/x/net/idna"
)

var (
	errEndpoint = errors.New("endpoint must be scheme://host or scheme://host:port, " +
		"with http or https and nothing after it")

	hostLabel = regexp.MustCompile(`^[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?$`)
	number    = regexp.MustCompile(`^([0-9]+|0x[0-9a-f]*)$`)

	// bucketName is S3's rule for the names of general purpose buckets and for the
	// aliases of access points (AWS, "General purpose bucket naming rules"). Old names
	// in upper case do not match, because they cannot be part of a host name.
	bucketName = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$`)

	regionName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$`)
)

// bucketEndpoint is the address of one bucket for recipients.
type bucketEndpoint struct {
	scheme string
	host   string // the signed host: lower case, without a default port
	path   string // the path before the key: "/", or "/bucket/"
	region string // of the signature
}

// publicEndpoint returns the endpoint in the spelling that all clients use: the host in
// lower case and ASCII, without a default port. The host is signed, so a client that
// spells the host in another way breaks the signature. publicEndpoint refuses hosts that
// clients spell in different ways. Errors do not repeat the endpoint, which may contain a
// password.
//
// The configuration normalises its URLs with its own rules, because it is a leaf like this
// package: it names the setting and accepts every spelling of a port and an IPv4-mapped
// address, which here would hide a difference between the signed host and the sent one.
func publicEndpoint(endpoint string) (string, error) {
	u, err := url.Parse(endpoint)
	if err != nil || strings.ContainsAny(endpoint, "?#@\\") {
		return "", errEndpoint
	}
	// The path "/" is equivalent to an empty path (RFC 9110 section 4.2.3).
	if u.Scheme != "http" && u.Scheme != "https" || u.Path != "" && u.Path != "/" {
		return "", errEndpoint
	}
	host, err := publicHost(u)
	if err != nil {
		return "", err
	}

	port := u.Port()
	if port == "" {
		if strings.HasSuffix(u.Host, ":") {
			return "", errEndpoint
		}
		return u.Scheme + "://" + host, nil
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil || n == 0 || strconv.FormatUint(n, 10) != port {
		return "", fmt.Errorf("endpoint: port must be 1 to 65535")
	}
	if u.Scheme == "http" && n == 80 || u.Scheme == "https" && n == 443 {
		return u.Scheme + "://" + host, nil
	}
	return u.Scheme + "://" + host + ":" + port, nil
}

// publicHost returns the host of u without its port, IPv6 in brackets.
func publicHost(u *url.URL) (string, error) {
	host := u.Hostname()
	if strings.HasPrefix(u.Host, "[") {
		a, err := netip.ParseAddr(host)
		if err != nil || !a.Is6() || a.Zone() != "" || a.Is4In6() {
			return "", errors.New("endpoint: malformed IPv6 address, or one with a zone or an IPv4 address in it")
		}
		return "[" + a.String() + "]", nil
	}
	// Only names outside ASCII are converted by IDNA, because its rules refuse the
	// underscore, which private names such as those of Compose contain.
	if host != strings.ToValidUTF8(host, "") {
		return "", errors.New("endpoint: host is not UTF-8")
	}
	for i := range len(host) {
		if host[i] >= 0x80 {
			ascii, err := idna.Lookup.ToASCII(host)
			if err != nil {
				return "", errors.New("endpoint: host is not an internationalised domain name")
			}
			host = ascii
			break
		}
	}
	host = strings.ToLower(host)

	labels := strings.Split(host, ".")
	for _, label := range labels {
		if len(host) > 253 || !hostLabel.MatchString(label) {
			return "", errors.New("endpoint: host is empty or not a host name")
		}
	}
	// Browsers read every host that ends in a number as an IPv4 address and spell
	// "127.1" as "127.0.0.1" (WHATWG URL, "ends in a number").
	if number.MatchString(labels[len(labels)-1]) {
		if a, err := netip.ParseAddr(host); err != nil || !a.Is4() {
			return "", errors.New("endpoint: an IPv4 address must be written as four decimal numbers")
		}
	}
	return host, nil
}

// checkBucket refuses names that no bucket can have. The reserved suffixes belong to
// resources that need another service or signature, but the endpoint rules treat them as
// plain names. plainRegion refuses the resources that the rules know.
func checkBucket(bucket string) error {
	if !bucketName.MatchString(bucket) || strings.Contains(bucket, "..") {
		return errors.New("not a bucket name (3 to 63 lower-case letters, digits, hyphens and dots)")
	}
	if _, err := netip.ParseAddr(bucket); err == nil {
		return errors.New("not a bucket name: it has the form of an IP address")
	}
	for _, reserved := range [...]struct{ suffix, meaning string }{
		{"--ol-s3", "an S3 Object Lambda access point"},
		{"--table-s3", "an S3 table bucket"},
		{".mrap", "a multi-region access point"},
	} {
		if strings.HasSuffix(bucket, reserved.suffix) {
			return fmt.Errorf("the name of %s, which plain S3 signatures do not serve", reserved.meaning)
		}
	}
	return nil
}

// resolve returns the address of the bucket for recipients, by the endpoint rules of the
// AWS SDK. So path style, virtual hosts, partitions and the exceptions (a dotted name
// under https, an IP address) are the same as in every AWS client. It returns an error if
// the bucket needs another signature than a plain SigV4 signature for "s3".
func resolve(ctx context.Context, o *Options, endpoint, bucket string) (bucketEndpoint, error) {
	if err := checkBucket(bucket); err != nil {
		return bucketEndpoint{}, err
	}
	p := s3.EndpointParameters{
		Bucket:         aws.String(bucket),
		Region:         aws.String(o.Region),
		ForcePathStyle: aws.Bool(o.PathStyle),
	}
	if endpoint != "" {
		p.Endpoint = aws.String(endpoint)
	}
	resolved, err := s3.NewDefaultEndpointResolverV2().ResolveEndpoint(ctx, p)
	if err != nil {
		return bucketEndpoint{}, err
	}
	region, err := plainRegion(smithyauth.GetAuthOptions(&resolved.Properties))
	if err != nil {
		return bucketEndpoint{}, err
	}

	e := bucketEndpoint{
		scheme: resolved.URI.Scheme,
		host:   resolved.URI.Host,
		path:   "/",
		region: region,
	}
	if resolved.URI.Path != "" {
		e.path = resolved.URI.EscapedPath() + "/"
	}
	return e, nil
}

// plainRegion returns the region of the plain SigV4 signature for "s3" that the endpoint
// rules require, or an error if they require another signature.
func plainRegion(options []*smithyauth.Option, ok bool) (string, error) {
	if !ok || len(options) != 1 {
		return "", errors.New("the endpoint rules do not name exactly one signature")
	}
	name, _ := smithyhttp.GetSigV4SigningName(&options[0].SignerProperties)
	if scheme := options[0].SchemeID; name != service || scheme != "sigv4" && scheme != smithyauth.SchemeIDSigV4 {
		return "", fmt.Errorf("needs a %s signature for %s, not a plain sigv4 one for %s", scheme, name, service)
	}
	region, _ := smithyhttp.GetSigV4SigningRegion(&options[0].SignerProperties)
	if !regionName.MatchString(region) {
		return "", errors.New("region is empty or malformed")
	}
	return region, nil
}
