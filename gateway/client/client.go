// Package client talks to the operator API. The commands use it, and a Go
// program may.
package client

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"keyhole/gateway/api"
)

// maxAnswer bounds what is read of an answer, in bytes: 500 links with the
// longest notes there are.
const maxAnswer = 32 << 20

// timeout bounds one request: the longest a storage may take, and a margin.
const timeout = 90 * time.Second

// Client asks one service. It is safe for concurrent use.
type Client struct {
	base string
	key  string
	http *http.Client
}

// New returns a client for the service at base, which is scheme://host[:port],
// with an operator key. The key may be empty for Alive and Ready. What is no such
// address is ErrAddress.
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
			// The key goes to the service that was named and to no other.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}, nil
}

// Error is the service's refusal.
type Error struct {
	api.Problem
	// Token says that the client presented a token of an identity provider, not an
	// operator key.
	Token bool
	// RetryAfter is how long the service asked to wait; 0: it named no time.
	RetryAfter time.Duration
}

// Error says what the service said, field by field.
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
	// ErrAddress means that New was not given scheme://host[:port]. It does not
	// repeat what was given, for that may hold a password or a token.
	ErrAddress = errors.New("that is not the address of a service, such as http://127.0.0.1:8081")
	// ErrUnreachable means that no answer came from the service at all.
	ErrUnreachable = errors.New("the service cannot be reached")
	// ErrNotKeyhole means that something answered which is not a keyhole's API: a
	// proxy, another server, or the listener for recipients.
	ErrNotKeyhole = errors.New("that is not an answer of keyhole's operator API")
	// ErrProxy means that something between here and the service answered that it had no
	// answer: what was asked for may have been done. It is an ErrNotKeyhole too.
	ErrProxy = fmt.Errorf("%w, but of something on the way to it", ErrNotKeyhole)
	// ErrBrokeOff means that an answer came, and not all of it: what was asked for may
	// have been done.
	ErrBrokeOff = errors.New("the answer broke off")
	// ErrNotUTF8 means that a request holds bytes that JSON cannot.
	ErrNotUTF8 = errors.New("what is asked for is not valid UTF-8")
)

// Issue asks for a link, and once more where no whole answer came: it is the same link
// then. The answer alone holds its URL. A name, note or label that
// is not UTF-8 is refused with ErrNotUTF8: JSON would put U+FFFD in its place, and
// share another object.
func (c *Client) Issue(ctx context.Context, r api.IssueRequest) (api.Link, error) {
	texts := append([]string{r.Storage, r.Bucket, r.Key, r.Filename, r.Note}, labelTexts(r.Labels)...)
	if err := allUTF8(texts); err != nil {
		return api.Link{}, err
	}
	if r.IdempotencyKey == "" {
		r.IdempotencyKey = rand.Text()
	}
	asked := call{method: http.MethodPost, path: "/api/v1/links", body: r, header: http.Header{"Idempotency-Key": {r.IdempotencyKey}}}
	link, err := c.link(ctx, asked)
	if (errors.Is(err, ErrUnreachable) || errors.Is(err, ErrBrokeOff)) && ctx.Err() == nil {
		return c.link(ctx, asked)
	}
	return link, err
}

// labelTexts returns the names and values of labels, in the order of the names.
func labelTexts(labels map[string]string) []string {
	var texts []string
	for _, name := range slices.Sorted(maps.Keys(labels)) {
		texts = append(texts, name, labels[name])
	}
	return texts
}

// allUTF8 returns ErrNotUTF8 for the first text that is not.
func allUTF8(texts []string) error {
	for _, s := range texts {
		if !utf8.ValidString(s) {
			return fmt.Errorf("%w: %q", ErrNotUTF8, s)
		}
	}
	return nil
}

// ListOptions selects links; empty fields select everything.
type ListOptions struct {
	State, Bucket, Prefix, Key, CreatedBy, Label string

	Cursor string
	Limit  int // entries on the page; 0: the service's default
}

// List returns one page of links.
func (c *Client) List(ctx context.Context, o ListOptions) (api.LinkPage, error) {
	query := pageQuery(o.Limit, map[string]string{
		"state": o.State, "bucket": o.Bucket, "prefix": o.Prefix, "key": o.Key,
		"created_by": o.CreatedBy, "label": o.Label, "cursor": o.Cursor,
	})
	return do[api.LinkPage](ctx, c, call{method: http.MethodGet, path: "/api/v1/links", query: query})
}

// pageQuery is the query for one page: what is empty, and a limit of 0, is left to
// the service.
func pageQuery(limit int, filters map[string]string) url.Values {
	query := url.Values{}
	for name, value := range filters {
		if value != "" {
			query.Set(name, value)
		}
	}
	if limit > 0 {
		query.Set("limit", strconv.Itoa(limit))
	}
	return query
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
	if r.Note != nil {
		texts = append(texts, *r.Note)
	}
	if r.Labels != nil {
		texts = append(texts, labelTexts(*r.Labels)...)
	}
	if err := allUTF8(texts); err != nil {
		return api.Link{}, err
	}
	asked := call{method: http.MethodPatch, path: linkPath(id), body: r}
	if r.IfMatch != "" {
		asked.header = http.Header{"If-Match": {r.IfMatch}}
	}
	return c.link(ctx, asked)
}

// RevokeAll ends the links that are selected, or as many as one call does: it is to
// be repeated with the answer's Next as Cursor until there is none.
func (c *Client) RevokeAll(ctx context.Context, r api.RevocationRequest) (api.Revocation, error) {
	texts := []string{r.Reason, r.Cursor}
	for _, text := range []*string{r.Bucket, r.Prefix, r.Key, r.CreatedBy, r.Label} {
		if text != nil {
			texts = append(texts, *text)
		}
	}
	if err := allUTF8(texts); err != nil {
		return api.Revocation{}, err
	}
	return do[api.Revocation](ctx, c, call{method: http.MethodPost, path: "/api/v1/revocations", body: r})
}

// AuditOptions selects events of the feed; empty fields select everything.
type AuditOptions struct {
	Since, Until time.Time
	FromNow      bool // with Oldest: what happens from now on, by the service's clock
	Kind         string
	Link         string // an id
	// Oldest asks for the oldest first. Then every page has a Next, and one without
	// More means that nothing else has happened since.
	Oldest bool

	Cursor string
	Limit  int // entries on the page; 0: the service's default
}

// Audit returns one page of the events of all links, newest first unless asked for
// otherwise.
func (c *Client) Audit(ctx context.Context, o AuditOptions) (api.EventPage, error) {
	filters := map[string]string{"kind": o.Kind, "link": o.Link, "cursor": o.Cursor}
	if o.Oldest {
		filters["order"] = "oldest"
	}
	if o.FromNow {
		filters["since"] = "now"
	}
	for name, t := range map[string]time.Time{"since": o.Since, "until": o.Until} {
		if !t.IsZero() {
			filters[name] = t.UTC().Format(time.RFC3339Nano)
		}
	}
	return do[api.EventPage](ctx, c, call{method: http.MethodGet, path: "/api/v1/audit", query: pageQuery(o.Limit, filters)})
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

// ObjectsOptions says what of a bucket is looked for; all but Bucket may be empty.
type ObjectsOptions struct {
	Storage, Bucket, Prefix, Search string

	Cursor string
	Limit  int // entries on the page; 0: the service's default
}

// Objects returns one page of what a bucket holds. It may come back short, even
// empty, with a Next.
func (c *Client) Objects(ctx context.Context, o ObjectsOptions) (api.ObjectPage, error) {
	query := pageQuery(o.Limit, map[string]string{
		"storage": o.Storage, "bucket": o.Bucket, "prefix": o.Prefix, "search": o.Search, "cursor": o.Cursor,
	})
	return do[api.ObjectPage](ctx, c, call{method: http.MethodGet, path: "/api/v1/objects", query: query})
}

// Alive asks whether the process serves.
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

// Ready asks whether the service can serve clicks now, and what it says of
// Redis and the storages. A service that is not ready is no error.
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
