package gateway

import (
	"context"
	"net/netip"
	"time"
)

// Store keeps links. Every method is one atomic change or read per link, by
// Redis' clock; whatever could not be asked or understood is ErrUnavailable. A
// change that too few replicas are known to have is ErrNotConfirmed.
type Store interface {
	// Create stores link, which lives for life from now, and its issued event.
	// It returns the link with the times that Redis gave it, or ErrExists with
	// the link that has the ID already, or ErrNeverValid.
	Create(ctx context.Context, link Link, secrets Secrets, life time.Duration, by Origin) (Link, error)
	// Get returns the link, ended ones within retention too, or ErrNotFound.
	Get(ctx context.Context, id ID) (Link, error)
	// List returns one page of links, or ErrCursor.
	List(ctx context.Context, q ListQuery) (ListPage, error)
	// Change changes a live link, or says why not: ErrNotFound, ErrEnded,
	// ErrChanged, ErrNeverValid or a ChangeError.
	Change(ctx context.Context, id ID, c Change, by Origin) (Link, error)
	// Revoke ends the link, and tells whether this call ended anything, if only
	// the grants of a used-up link, also with ErrNotConfirmed. What has ended before
	// is returned unchanged.
	Revoke(ctx context.Context, id ID, reason string, by Origin) (link Link, changed bool, err error)
	// RevokeAll ends every link with a permission that q selects, or answers
	// ErrCursor. With an error the result says what was done before it. Without one
	// all that the call has found ended is as certain to stay so as what it ended.
	RevokeAll(ctx context.Context, q ListQuery, o BulkOptions, by Origin) (BulkResult, error)
	// Events returns the newest events of one link, newest first, or ErrCursor.
	Events(ctx context.Context, id ID, cursor string, limit int) (EventList, error)
	// Audit returns one page of the events of all links, or ErrCursor.
	Audit(ctx context.Context, q AuditQuery) (AuditPage, error)
}

// Retries keeps what makes an issue safe to repeat.
type Retries interface {
	// Reserve keeps sealed under the name, for a day, and returns it; or returns what
	// is kept there already, as certain to stay as if it were kept now.
	Reserve(ctx context.Context, name string, sealed []byte) ([]byte, error)
	// Reserved returns what is kept under the name, and for how long it has been, or
	// ErrNotFound.
	Reserved(ctx context.Context, name string) (sealed []byte, age time.Duration, err error)
	// Confirm is Get for who promises that the link is there: it is as certain to
	// stay as after Create.
	Confirm(ctx context.Context, id ID) (Link, error)
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

// BulkOptions says how links are revoked in bulk.
type BulkOptions struct {
	Reason string
	DryRun bool // only counts
	// Budget is the time after which the call ends though links may be left, once it
	// has found any, or where it goes on from a Cursor.
	Budget time.Duration
	// LookBudget is the time after which it ends in any case; 0: there is no such
	// time. A call without a cursor looks again at all that has ended, so it needs
	// more of it than Budget to get on by repetition alone.
	LookBudget time.Duration
	Cursor     string // where the call goes on; empty: at the beginning
	// Scope names what the asking key may see. A cursor holds only for the scope, and
	// for the kind of call, that it was made in: what was only counted, or not seen,
	// was not revoked.
	Scope string
}

// BulkResult is what became of a bulk revocation.
type BulkResult struct {
	Matched int // links that were selected and had a permission
	Revoked int // those of them that this call ended
	// Unreadable is how many links with a permission have a record that this version
	// does not understand: they may be selected, and were not ended.
	Unreadable int
	// Done says that all links have been looked at, by this call and those whose
	// cursors led to it, and that all of them could be read.
	Done bool
	Next string // cursor of the next call; empty: all have been looked at
}

// Change is what becomes of a live link. The zero value changes nothing.
type Change struct {
	Life time.Duration // from now on; 0: as it is
	// Longest is the longest life since the issue that Life may come to.
	Longest   time.Duration
	MaxClicks int64 // 0: as it is
	Note      *string
	Labels    *map[string]string // replaced whole
	Paused    *bool
	// Window is how long grants live on where MaxClicks leaves nothing to spend.
	Window time.Duration
	// Revision is the one that the link must have; empty: any.
	Revision string
}

// Apply makes the change in l, but for times and state, which are Redis'.
func (c *Change) Apply(l *Link) {
	if c.Life > 0 {
		l.Preset = PresetCustom
	}
	if c.MaxClicks > 0 {
		l.MaxClicks = c.MaxClicks
	}
	if c.Note != nil {
		l.Note = *c.Note
	}
	if c.Labels != nil {
		l.Labels = *c.Labels
	}
}

// ClickStore is what a click needs of Redis.
type ClickStore interface {
	// Admit judges the click in one atomic script and, where it admits a GET or
	// POST, counts it and appends its event in the same script. A link that has
	// ended, or never was, is an outcome, not an error. Nothing is counted of a
	// link that needs confirmation. What is not admitted leaves no event: the caller
	// notes what is worth one. ErrCounted says that the click was counted although
	// there is an error.
	Admit(ctx context.Context, a Attempt) (Admission, error)
	// Spend judges the click again and spends it, in one atomic script, once for
	// each nonce within its window. A refusal leaves no event, as with Admit.
	Spend(ctx context.Context, a Attempt, s Spending) (Spent, error)
	// Note appends the event of a click whose outcome was not known to Admit. For a
	// redirect of a link that has ended meanwhile it is ErrEnded, and there is no event.
	Note(ctx context.Context, a Attempt, k EventKind, o Outcome) error
	// Try reserves a try of the link's passphrase for whose it is.
	Try(ctx context.Context, id ID, client string) (Try, error)
	// Untry gives the try back.
	Untry(ctx context.Context, id ID, try Try) error
}

// Attempt is one click as it is put before the store.
type Attempt struct {
	ID      ID
	Method  string     // GET, HEAD or POST
	Address string     // as far as it may be kept
	Client  netip.Addr // as it is: for the addresses that a link allows, never kept
	Page    bool       // whether the answer may be a page
	Grant   string     // that was handed in, empty: none
	Form    *Form      // of a POST; nil: none that can be read
}

// Form is what a confirmation page sends.
type Form struct {
	Confirm    bool
	Passphrase string
	Nonce      string
}

// Admission is the store's verdict on an Attempt.
type Admission struct {
	// Outcome is OutcomeRedirected of a click that was counted, and any other but
	// empty of one that ends here. It is empty where the link needs confirmation
	// and what was handed in, a grant or a form, is still to be looked at.
	Outcome    Outcome
	Permission Permission // unless the click was refused
	Link       *Link      // of a link that needs confirmation
	UsedUp     bool       // it lives for grants alone
	Now        time.Time  // by Redis' clock, of a link that needs confirmation
}

// Spending says how a click is to be spent.
type Spending struct {
	Nonce  string        // of the page that was filled in; empty: none
	Window time.Duration // for which the nonce and a grant hold
	// Last says that this is expected to be the link's last click. It only spares a
	// round trip.
	Last bool
}

// Spent is the store's verdict on a click that is to be spent.
type Spent struct {
	Outcome Outcome // OutcomeRedirected, OutcomeResumed where the nonce had spent one, or a refusal
	Now     time.Time
	// GrantEnd is until when the click may be gone on with.
	GrantEnd time.Time
}

// Try is a try of a passphrase.
type Try struct {
	Reserved string        // empty: there was none left
	Wait     time.Duration // how long until there is
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
	Secrets     Secrets       // of a link with restrictions
}

// Objects asks one storage about its objects with the service's own credentials.
type Objects interface {
	// Prove shows that the object, or one version of it, exists and can be read,
	// or says why not with one of the ErrObject errors or ErrUnavailable.
	Prove(ctx context.Context, bucket, key, version string) (ObjectInfo, error)
	// Stat tells what the object, or one version of it, is now. Its errors are
	// those of Prove; what has been deleted is ErrObjectNotFound. With
	// ErrObjectArchived and ErrObjectKMS it also tells what the object is, if the
	// storage says so.
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
