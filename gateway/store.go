package gateway

import (
	"context"
	"time"
)

// Store keeps links. Every method is one atomic change or read per link, by
// Redis' clock; whatever could not be asked or understood is ErrUnavailable.
type Store interface {
	// Create stores link, which lives for life from now, and its issued event.
	// It returns the link with the times that Redis gave it, or ErrExists with
	// the link that has the ID already.
	Create(ctx context.Context, link Link, life time.Duration, by Origin) (Link, error)
	// Get returns the link, ended ones within retention too, or ErrNotFound.
	Get(ctx context.Context, id ID) (Link, error)
	// List returns one page of links, or ErrCursor.
	List(ctx context.Context, q ListQuery) (ListPage, error)
	// Revoke ends the link, and tells whether this call did. What has ended
	// before is returned unchanged.
	Revoke(ctx context.Context, id ID, reason string, by Origin) (link Link, changed bool, err error)
	// Events returns the newest events of one link, newest first, or ErrCursor.
	Events(ctx context.Context, id ID, cursor string, limit int) (EventList, error)
}

// Origin says who changes a link, and from where.
type Origin struct {
	Actor   string // name of the operator key
	Address string // as far as it may be kept
}

// ListQuery selects links. Empty fields select everything; all others are
// joined by AND.
type ListQuery struct {
	State      State
	Bucket     string
	Buckets    []string // the buckets that Prefix or Key is looked for in when Bucket is empty
	Prefix     string   // of the key, literal bytes
	Key        string
	CreatedBy  string
	LabelName  string
	LabelValue string
	// Match leaves out what the asking key may not see.
	Match  func(ObjectRef) bool
	Cursor string
	Limit  int
}

// ListPage is one page of links: newest first, or by key where Prefix or Key
// was asked for.
type ListPage struct {
	Links []Link
	Next  string // cursor of the next page; empty: there is none
}

// EventList is one page of events, newest first.
type EventList struct {
	Events []Event
	Next   string
}

// ClickStore is what a click needs of Redis.
type ClickStore interface {
	// Admit judges the click in one atomic script and, where it admits a GET or
	// POST, counts it and appends its event in the same script. A link that has
	// ended, or never was, is an outcome, not an error.
	Admit(ctx context.Context, a Attempt) (Admission, error)
	// Fail appends the event that an admitted click failed after all.
	Fail(ctx context.Context, a Attempt, o Outcome) error
}

// Attempt is one click as it is put before the store.
type Attempt struct {
	ID      ID
	Method  string // GET, HEAD or POST
	Address string // as far as it may be kept
}

// Admission is the store's verdict on an Attempt.
type Admission struct {
	Outcome    Outcome
	Permission Permission // where Outcome is OutcomeRedirected
}

// Permission is what an admitted click may be redirected to.
type Permission struct {
	Ref         ObjectRef
	Pin         string // as in Link
	VersionID   string // where Pin is PinVersion
	ETag        string // where Pin is PinETag
	Filename    string // as in Link
	Disposition string
	ContentType string        // as the storage said at the issue
	Remaining   time.Duration // of the link's life, by Redis' clock
}

// Objects asks one storage about its objects with the service's own credentials.
type Objects interface {
	// Prove shows that the object, or one version of it, exists and can be read,
	// or says why not with one of the ErrObject errors or ErrUnavailable.
	Prove(ctx context.Context, bucket, key, version string) (ObjectInfo, error)
	// Stat tells what the object, or one version of it, is now. Its errors are
	// those of Prove; what has been deleted is ErrObjectNotFound.
	Stat(ctx context.Context, bucket, key, version string) (ObjectInfo, error)
	// List returns one page of a bucket's keys. ErrObjectNotReadable says that
	// the bucket may not be listed, ErrObjectNotFound that there is none.
	List(ctx context.Context, q KeyQuery) (KeyPage, error)
}

// Cursors packs the positions of listings that are no listing of the store's, so
// that nobody who is given one reads or forges it.
type Cursors interface {
	// SealCursor packs a position of what query asks for.
	SealCursor(ctx context.Context, query, position string) (string, error)
	// OpenCursor returns the position that was packed for the same query, or
	// ErrCursor.
	OpenCursor(ctx context.Context, query, cursor string) (string, error)
}
