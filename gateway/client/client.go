package client

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"keyhole/gateway/api"
)

// maxAnswer bounds the response that is read, in bytes: 500 links with the longest notes.
const maxAnswer = 32 << 20

// timeout bounds one request: the longest time that the service takes, and a margin.
const timeout = 90 * time.Second

// Client is a client of one service. It is safe for concurrent use.
type Client struct {
	base string
	key  string
	http *http.Client
}

// New returns a client for the service at base, which is scheme://host[:port], with an
// operator key or a token. The key may be empty for Alive and Ready. New returns
// ErrAddress if base has another form. New does not normalise the host, unlike package
// config: nothing compares or signs this address, and this package needs only the standard
// library.
func New(base, key string) (*Client, error) {
	u, err := url.Parse(base)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || u.User != nil ||
		strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "" {
		return nil, ErrAddress
	}
	return &Client{
		base: u.Scheme + "://" + u.Host,
		key:  key,
		http: &http.Client{
			Timeout: timeout,
			// A redirect must not take the key to another service.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}, nil
}

// Error is an error that the service returned.
type Error struct {
	api.Problem
	// Token says that the client presented a token of an identity provider, not an
	// operator key.
	Token bool
	// RetryAfter is the wait that the service asks for; 0: none.
	RetryAfter time.Duration
}

// Error returns the detail, or the errors of all fields.
func (e *Error) Error() string {
	if len(e.Errors) == 0 {
		return e.Detail
	}
	parts := make([]string, len(e.Errors))
	for i, f := range e.Errors {
		parts[i] = f.Field + ": " + f.Message
	}
	return strings.Join(parts, "; ")
}

var (
	// ErrAddress means that the address of New is not scheme://host[:port]. It does not
	// repeat the address, which may contain a password or a token.
	ErrAddress = errors.New("not the address of a service, such as http://127.0.0.1:8081")
	// ErrUnreachable means that the service sent no answer.
	ErrUnreachable = errors.New("the service cannot be reached")
	// ErrNotKeyhole means that the answer does not come from Keyhole's operator API, but
	// from a proxy, another server, or the listener for recipients.
	ErrNotKeyhole = errors.New("the answer is not from Keyhole's operator API")
	// ErrProxy means that a proxy in front of the service answered with a server error.
	// The service may have carried out the request. ErrProxy is an ErrNotKeyhole too.
	ErrProxy = fmt.Errorf("%w but from a proxy in front of it", ErrNotKeyhole)
	// ErrBrokeOff means that the answer was incomplete. The service may have carried out
	// the request.
	ErrBrokeOff = errors.New("the answer broke off")
	// ErrNotUTF8 means that a request contains bytes that JSON cannot hold.
	ErrNotUTF8 = errors.New("the request is not valid UTF-8")
)

// Issue issues a link. If no complete answer comes, Issue repeats the request once with
// the same Idempotency-Key, which returns the same link. Only this answer contains the URL
// of the link. Issue returns ErrNotUTF8 if a text is not UTF-8, because JSON would replace
// the bytes with U+FFFD and so share another object.
func (c *Client) Issue(ctx context.Context, r api.IssueRequest) (api.Link, error) {
	if err := allUTF8(issueTexts(&r)); err != nil {
		return api.Link{}, err
	}
	issue := idempotentCall("/api/v1/links", r.IdempotencyKey, r)
	return repeatOnce(ctx, func() (api.Link, error) { return c.link(ctx, issue) })
}

// labelTexts returns the names and values of labels, sorted by name.
func labelTexts(labels map[string]string) []string {
	var texts []string
	for _, name := range slices.Sorted(maps.Keys(labels)) {
		texts = append(texts, name, labels[name])
	}
	return texts
}

// allUTF8 returns ErrNotUTF8 for the first text that is not valid UTF-8.
func allUTF8(texts []string) error {
	for _, s := range texts {
		if !utf8.ValidString(s) {
			return fmt.Errorf("%w: %q", ErrNotUTF8, s)
		}
	}
	return nil
}

// Show returns one link.
func (c *Client) Show(ctx context.Context, id string) (api.Link, error) {
	return c.link(ctx, call{method: http.MethodGet, path: linkPath(id)})
}

// Revoke ends one link. It is idempotent.
func (c *Client) Revoke(ctx context.Context, id, reason string) (api.Link, error) {
	query := url.Values{}
	if reason != "" {
		query.Set("reason", reason)
	}
	return c.link(ctx, call{method: http.MethodDelete, path: linkPath(id), query: query})
}

// Change changes one live link.
func (c *Client) Change(ctx context.Context, id string, r api.ChangeRequest) (api.Link, error) {
	var texts []string
	if r.Language != nil {
		texts = append(texts, *r.Language)
	}
	if r.Note != nil {
		texts = append(texts, *r.Note)
	}
	if r.Labels != nil {
		texts = append(texts, labelTexts(*r.Labels)...)
	}
	if err := allUTF8(texts); err != nil {
		return api.Link{}, err
	}
	if r.Passphrase != nil && !utf8.ValidString(*r.Passphrase) {
		return api.Link{}, ErrNotUTF8 // without the passphrase
	}
	change := call{method: http.MethodPatch, path: linkPath(id), body: r}
	if r.IfMatch != "" {
		change.header = http.Header{"If-Match": {r.IfMatch}}
	}
	return c.link(ctx, change)
}

// RevokeAll ends selected links. One call may end only a part of them: call RevokeAll
// again with Cursor set to the Next of the answer, until Next is empty.
func (c *Client) RevokeAll(ctx context.Context, r api.RevocationRequest) (api.Revocation, error) {
	texts := []string{r.Reason, r.Cursor}
	for _, text := range []*string{
		r.Bucket, r.Prefix, r.Key, r.CreatedBy, r.Label, r.State, r.Since, r.Used, r.EndsWithin, r.EndsAfter,
	} {
		if text != nil {
			texts = append(texts, *text)
		}
	}
	if r.Labels != nil {
		texts = append(texts, labelTexts(*r.Labels)...)
	}
	if err := allUTF8(texts); err != nil {
		return api.Revocation{}, err
	}
	return do[api.Revocation](ctx, c, call{method: http.MethodPost, path: "/api/v1/revocations", body: r})
}

// Events returns one page of a link's events, newest first.
func (c *Client) Events(ctx context.Context, id, cursor string, limit int) (api.EventPage, error) {
	query := pageQuery(limit, map[string]string{"cursor": cursor})
	return do[api.EventPage](ctx, c, call{method: http.MethodGet, path: linkPath(id) + "/events", query: query})
}

// Buckets returns the buckets that the key may see.
func (c *Client) Buckets(ctx context.Context) (api.BucketList, error) {
	return do[api.BucketList](ctx, c, call{method: http.MethodGet, path: "/api/v1/buckets"})
}

// ObjectsOptions selects objects of a bucket. All fields but Bucket may be empty.
type ObjectsOptions struct {
	Storage, Bucket, Prefix, Search string

	Cursor string
	Limit  int // entries on the page; 0: the service's default
}

// Objects returns one page of a bucket's objects. A page that is not the last one can be
// short, or even empty.
func (c *Client) Objects(ctx context.Context, o ObjectsOptions) (api.ObjectPage, error) {
	query := pageQuery(o.Limit, map[string]string{
		"storage": o.Storage, "bucket": o.Bucket, "prefix": o.Prefix, "search": o.Search, "cursor": o.Cursor,
	})
	return do[api.ObjectPage](ctx, c, call{method: http.MethodGet, path: "/api/v1/objects", query: query})
}

// Alive returns nil if the process of the service responds.
func (c *Client) Alive(ctx context.Context) error {
	answer, err := c.send(ctx, call{method: http.MethodGet, path: "/livez"})
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return c.notKeyhole(answer)
	}
	return nil
}

// Ready returns whether the service can serve clicks now, and the state of Redis and the
// storages. If the service is not ready, Ready returns no error.
func (c *Client) Ready(ctx context.Context) (api.Readiness, error) {
	answer, err := c.send(ctx, call{method: http.MethodGet, path: "/readyz"})
	if err != nil {
		return api.Readiness{}, err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK && answer.StatusCode != http.StatusServiceUnavailable {
		return api.Readiness{}, c.notKeyhole(answer)
	}
	readiness, err := read[api.Readiness](answer)
	if err == nil && readiness.Redis == "" {
		err = c.notKeyhole(answer)
	}
	return readiness, err
}
