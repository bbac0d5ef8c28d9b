package httpapi

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"time"

	"keyhole/gateway"
	"keyhole/signer" //nolint:depguard // gateway.Presigner is written in its types, and a stub implements it
)

const (
	// liveToken opens the link that the stub admits.
	liveToken = "4uQeVj5tqViQh7yWWGStvk"
	// presigned is what every admitted click is redirected to.
	presigned = "https://s3.example.com/reports/q3.pdf?X-Amz-Expires=35&X-Amz-Signature=signature-canary"
	// opsKey may everything, readKey may read, exportsKey may everything in exports.
	opsKey, readKey, exportsKey = "ops-key-canary", "read-key-canary", "exports-key-canary"
)

// stubStore implements all stores with scripted answers, and records what it was asked. It
// holds nothing: Get does not find a link that Create was given, and no click is counted.
// For a store that holds links, see newBenchOver.
type stubStore struct {
	mu      sync.Mutex
	links   map[gateway.ID]gateway.Link // the answers about links, by ID
	created []gateway.Link
	err     error  // of every call
	panic   string // what every call panics with, where it is not empty

	outcome  gateway.Outcome           // of every click
	confirms bool                      // whether the link needs confirmation: outcome is then what a GET gets
	facts    *gateway.Facts            // of every refused click; nil: none
	spent    gateway.Spent             // of every spend
	try      gateway.PassphraseAttempt // of every passphrase
	secrets  gateway.Secrets           // of the link
	pin      string                    // of the link
	attempts []gateway.Attempt
	change   gateway.Change
	bulk     gateway.BulkOptions
	audit    gateway.AuditQuery
	erasure  gateway.Erasure
	query    gateway.ListQuery
	cursor   string
	limit    int
}

// begin fails or panics if the test wants that. Every call ends with it.
func (r *stubStore) begin() error {
	if r.panic != "" {
		panic(r.panic)
	}
	return r.err
}

func (r *stubStore) Admit(_ context.Context, a gateway.Attempt) (gateway.Admission, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.attempts = append(r.attempts, a)
	ref := gateway.ObjectRef{Storage: "main", Bucket: "reports", Key: "q3.pdf"}
	admission := gateway.Admission{Outcome: r.outcome, Facts: r.facts, Permission: gateway.Permission{
		Ref: ref, Disposition: gateway.DispositionAttachment, Remaining: time.Hour, Secrets: r.secrets, Pin: r.pin,
	}}
	if r.confirms {
		admission.Now = time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
		admission.Link = &gateway.Link{
			ID: a.ID, Ref: ref, MaxClicks: 3, Clicks: 1, Note: "for <you>", Passphrase: r.secrets.Passphrase != "",
			Object: gateway.ObjectInfo{Size: 1_234_567, ContentType: "application/pdf"}, ExpiresAt: admission.Now.Add(time.Hour),
		}
		if a.Method == http.MethodPost || a.Grant != "" {
			admission.Outcome = ""
		}
	}
	return admission, r.begin()
}

func (r *stubStore) Spend(context.Context, gateway.Attempt, gateway.Spending) (gateway.Spent, error) {
	return r.spent, r.err
}

func (r *stubStore) RecordEvent(context.Context, gateway.Attempt, gateway.EventKind, gateway.Outcome) error {
	return r.err
}

func (r *stubStore) ReserveAttempt(context.Context, gateway.ID, string) (gateway.PassphraseAttempt, error) {
	return r.try, r.err
}

func (r *stubStore) ReleaseAttempt(context.Context, gateway.ID, gateway.PassphraseAttempt) error {
	return r.err
}

func (r *stubStore) Create(_ context.Context, link gateway.Link, _ gateway.Secrets, life time.Duration,
	_ gateway.Origin,
) (gateway.Link, error) {
	if err := r.begin(); err != nil {
		return gateway.Link{}, err
	}
	link.CreatedAt = time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	link.ExpiresAt = link.CreatedAt.Add(life)
	r.created = append(r.created, link)
	return link, nil
}

func (r *stubStore) Get(_ context.Context, id gateway.ID) (gateway.Link, error) {
	if err := r.begin(); err != nil {
		return gateway.Link{}, err
	}
	link, ok := r.links[id]
	if !ok {
		return link, gateway.ErrNotFound
	}
	return link, nil
}

func (r *stubStore) LiveLinks(context.Context, string, string, []string) (map[string]gateway.LiveCount, error) {
	return nil, r.begin()
}

func (r *stubStore) RecordSignIn(context.Context, gateway.EventKind, gateway.Origin) error {
	return r.begin()
}

func (r *stubStore) Find(_ context.Context, prefix gateway.IDPrefix) (found []gateway.Link, err error) {
	for id, link := range r.links {
		if prefix.Matches(id) {
			found = append(found, link)
		}
	}
	return found, r.begin()
}

func (r *stubStore) Reserve(_ context.Context, _ string, sealed []byte) ([]byte, error) {
	return sealed, r.begin()
}

func (r *stubStore) Reserved(context.Context, string) ([]byte, time.Duration, error) {
	return nil, 0, gateway.ErrNotFound
}

func (r *stubStore) Confirm(ctx context.Context, id gateway.ID) (gateway.Link, error) {
	return r.Get(ctx, id)
}

func (r *stubStore) List(_ context.Context, q gateway.ListQuery) (gateway.ListPage, error) {
	r.query = q
	page := gateway.ListPage{Next: "next-page"}
	for _, link := range r.links {
		page.Links = append(page.Links, link)
	}
	return page, r.begin()
}

func (r *stubStore) Revoke(_ context.Context, id gateway.ID, reason string, by gateway.Origin) (gateway.Link, bool,
	error,
) {
	link := r.links[id]
	link.State, link.RevokeReason, link.RevokedBy = gateway.StateRevoked, reason, by.Actor
	link.RevokedAt = link.CreatedAt.Add(time.Minute)
	return link, true, r.begin()
}

func (r *stubStore) Change(_ context.Context, id gateway.ID, c gateway.Change, _ gateway.Origin) (gateway.Link, error) {
	r.change = c
	link := r.links[id]
	c.Apply(&link)
	return link, r.begin()
}

func (r *stubStore) Active(context.Context) (int64, error) { return 0, r.begin() }

func (r *stubStore) RevokeAll(_ context.Context, q gateway.ListQuery, o gateway.BulkOptions,
	_ gateway.Origin,
) (gateway.BulkResult, error) {
	r.query, r.bulk = q, o
	return gateway.BulkResult{Matched: 3, Revoked: 2, Done: true}, r.begin()
}

func (r *stubStore) Events(_ context.Context, id gateway.ID, cursor string, limit int) (gateway.EventList, error) {
	r.cursor, r.limit = cursor, limit
	return gateway.EventList{Next: "older", Events: []gateway.Event{{
		Time: time.Date(2026, 11, 1, 13, 0, 0, 0, time.FixedZone("CET", 3600)), Kind: gateway.EventRedirected, Link: id,
		Outcome: gateway.OutcomeRedirected, Method: "GET", Address: "192.0.2.1",
	}}}, r.begin()
}

func (r *stubStore) Audit(_ context.Context, q gateway.AuditQuery) (gateway.AuditPage, error) {
	r.audit = q
	return gateway.AuditPage{Next: "older", Searched: 7, Events: []gateway.AuditEvent{{
		Event: gateway.Event{
			Time: time.Date(2026, 11, 1, 13, 0, 0, 0, time.FixedZone("CET", 3600)), Kind: gateway.EventRevoked,
			Actor: "ops", Address: "192.0.2.1", Reason: "=cmd()|\r\n\u202e<b>",
		},
		Ref: gateway.ObjectRef{Storage: "main", Bucket: "reports", Key: "q3.pdf"},
	}}}, r.begin()
}

func (r *stubStore) Erase(_ context.Context, e gateway.Erasure, _ gateway.Origin) (gateway.ErasureResult, error) {
	r.erasure = e
	return gateway.ErasureResult{FeedEvents: 2, LinkEvents: 1, Done: true}, r.begin()
}

func (r *stubStore) SealCursor(_ context.Context, query, position string) (string, error) {
	return query + position, r.begin()
}

func (r *stubStore) OpenCursor(_ context.Context, query, cursor string) (string, error) {
	position, ok := strings.CutPrefix(cursor, query)
	if !ok {
		return "", gateway.ErrCursor
	}
	return position, r.begin()
}

// stubStorage implements Objects and Presigner with one answer for every object. It holds
// no object.
type stubStorage struct {
	mu                sync.Mutex // of proved, because the links of a batch are proved in parallel
	proofErr, signErr error
	proved            []string
	keys              gateway.KeyPage
	listed            []gateway.KeyQuery
}

func (s *stubStorage) Prove(_ context.Context, bucket, key, _ string) (gateway.ObjectInfo, error) {
	s.mu.Lock()
	s.proved = append(s.proved, bucket+"/"+key)
	s.mu.Unlock()
	return gateway.ObjectInfo{Size: 3, ETag: `"e"`, ContentType: "text/plain"}, s.proofErr
}

func (s *stubStorage) Stat(context.Context, string, string, string) (gateway.ObjectInfo, error) {
	return gateway.ObjectInfo{Size: 3, ETag: `"e"`, ContentType: "text/plain"}, s.proofErr
}

func (s *stubStorage) List(_ context.Context, q gateway.KeyQuery) (gateway.KeyPage, error) {
	s.listed = append(s.listed, q)
	return s.keys, s.proofErr
}

func (s *stubStorage) Presign(context.Context, signer.Request) (signer.Signed, error) {
	return signer.Signed{URL: presigned}, s.signErr
}

func (s *stubStorage) Origin(string) (string, bool) { return "https://s3.example.com", true }
