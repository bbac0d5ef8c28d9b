package gateway

import (
	"context"
	"net/netip"
	"time"
)

// Store keeps links. Every method makes one atomic change or read per link, by the clock
// of Redis. The error is ErrUnavailable if Redis did not answer or the answer is
// unreadable, and ErrNotConfirmed if too few replicas have confirmed a change.
type Store interface {
	// Create stores link and its issued event. The link expires when life has passed.
	// Create returns the link with the times of Redis. If the ID exists, Create returns
	// ErrExists with the link that has the ID. ErrNeverValid means that the link would
	// end before its NotBefore.
	Create(ctx context.Context, link Link, secrets Secrets, life time.Duration, by Origin) (Link, error)
	// Get returns the link, or ErrNotFound. It returns ended links too, within their
	// retention.
	Get(ctx context.Context, id ID) (Link, error)
	// Find returns the links whose IDs begin with the prefix, also ended ones within their
	// retention. It returns a few at most: so many are never expected. An unreadable link
	// among them is an error, because the caller must know whether there is only one.
	Find(ctx context.Context, prefix IDPrefix) ([]Link, error)
	// List returns one page of links, or ErrCursor.
	List(ctx context.Context, q ListQuery) (ListPage, error)
	// LiveLinks returns the number of live links of each object of a bucket with one of the
	// keys, at most MaxLiveKeys. Objects without links may be missing in the result.
	LiveLinks(ctx context.Context, storage, bucket string, keys []string) (map[string]LiveCount, error)
	// Active returns the number of live links. A link leaves the count at most a minute after
	// its end. The call reads one number for each partition.
	Active(ctx context.Context) (int64, error)
	// Change changes a live link. It refuses the change with ErrNotFound, ErrEnded,
	// ErrChanged, ErrNeverValid or a ChangeError.
	Change(ctx context.Context, id ID, c Change, by Origin) (Link, error)
	// Revoke ends the link. changed reports whether this call ended the link, or the
	// grants of a used-up link; it is valid with ErrNotConfirmed too. Revoke returns a
	// link that had ended before unchanged.
	Revoke(ctx context.Context, id ID, reason string, by Origin) (link Link, changed bool, err error)
	// RevokeAll ends every link that q selects and that has a permission, or returns
	// ErrCursor. After an error, the result counts the links that RevokeAll ended before
	// the error. Without an error, RevokeAll has also confirmed the end of the links that
	// it found ended.
	RevokeAll(ctx context.Context, q ListQuery, o BulkOptions, by Origin) (BulkResult, error)
	// Events returns the newest events of one link, newest first, or ErrCursor.
	Events(ctx context.Context, id ID, cursor string, limit int) (EventList, error)
	// Audit returns one page of the events of all links, or ErrCursor.
	Audit(ctx context.Context, q AuditQuery) (AuditPage, error)
	// RecordSignIn stores an EventSignedIn or EventSignedOut.
	RecordSignIn(ctx context.Context, kind EventKind, by Origin) error
	// Erase erases client addresses from events, or returns ErrCursor. After an error, the
	// result counts the addresses that Erase erased before the error.
	Erase(ctx context.Context, e Erasure, by Origin) (ErasureResult, error)
}

// Reservations keeps one encrypted token for each Idempotency-Key, so that an issue is
// safe to repeat.
type Reservations interface {
	// Reserve stores sealed under name for a day, and returns it. If the name has a
	// reservation, Reserve returns that reservation, and confirms it like a new one.
	Reserve(ctx context.Context, name string, sealed []byte) ([]byte, error)
	// Reserved returns the reservation of name and its age, or ErrNotFound.
	Reserved(ctx context.Context, name string) (sealed []byte, age time.Duration, err error)
	// Confirm is Get for a caller that acknowledges the link again: it waits for the
	// replicas like Create.
	Confirm(ctx context.Context, id ID) (Link, error)
}

// Origin is the operator who changes a link, and the operator's address.
type Origin struct {
	Actor   string // name of the operator key
	Address string // in the form that audit.client_address allows
}

// EventList is one page of events, newest first.
type EventList struct {
	Events []Event
	Next   string // cursor of the next page; empty: this is the last page
}

// BulkOptions are the options of a bulk revocation.
type BulkOptions struct {
	Reason string
	DryRun bool // only counts
	// Budget is the time after which the call returns even if links are left. It applies
	// if the call has found a link or continues from a Cursor.
	Budget time.Duration
	// SearchBudget is the time after which the call returns in any case; 0: no limit. It
	// must be longer than Budget. A caller may repeat the call without a cursor. Such a
	// call reads all ended links again before it finds new ones.
	SearchBudget time.Duration
	// Examine is the number of index entries after which the call returns in any case; 0: no
	// limit.
	Examine int
	Cursor  string // position at which the call continues; empty: the start
	// Scope is the operator's scope as text. A cursor is valid only for the Scope and
	// DryRun of the call that returned it. A call with another Scope or DryRun has not
	// revoked the links before the cursor.
	Scope string
}

// BulkResult is the result of a bulk revocation.
type BulkResult struct {
	Matched int // selected links that had a permission
	// UsedUp counts those of Matched that were used up. Only their grants are left to end.
	UsedUp  int
	Revoked int // links that this call ended
	// Unreadable counts links with a permission whose record this version cannot read.
	// The query may select them. The call has not ended them.
	Unreadable int
	// Done reports that this call and the calls that led to its cursor have read all
	// links.
	Done bool
	Next string // cursor of the next call; empty: no link is left to read
}

// Change is a change of a live link. The zero value changes nothing.
type Change struct {
	Life time.Duration // from now on; 0: unchanged
	// Longest is the maximum life of the link, counted from its issue. A Life that extends
	// the link beyond Longest is refused, or cut to Longest if LifeTolerance covers it.
	Longest   time.Duration
	MaxClicks int64 // 0: unchanged
	Language  *string
	Note      *string
	Labels    *map[string]string // replaces all labels
	Paused    *bool
	Allow     *[]netip.Prefix // replaces all addresses; empty: every address
	NotBefore *time.Time      // zero: the link works at once
	// Passphrase is the new passphrase as in Secrets; empty: none.
	Passphrase *string
	// Key becomes the Secrets.Key of a link that gets a passphrase or that had no Secrets.
	// Pages and grants of the previous passphrase are invalid then.
	Key [16]byte
	// Window is the time for which grants stay valid if MaxClicks leaves no click.
	Window time.Duration
	// Revision is the revision that the link must have; empty: any.
	Revision string
}

// Apply makes the change in l, except for times and state, which Redis sets.
func (c *Change) Apply(l *Link) {
	if c.Life > 0 {
		l.Preset = PresetCustom
	}
	if c.MaxClicks > 0 {
		l.MaxClicks = c.MaxClicks
	}
	if c.Language != nil {
		l.Language = *c.Language
	}
	if c.Note != nil {
		l.Note = *c.Note
	}
	if c.Labels != nil {
		l.Labels = *c.Labels
	}
	if c.Allow != nil {
		l.Allow = *c.Allow
	}
	if c.NotBefore != nil {
		l.NotBefore = *c.NotBefore
	}
	if c.Passphrase != nil {
		l.Passphrase = *c.Passphrase != ""
		switch {
		case !l.Passphrase:
			l.Reveal = ""
		case l.Reveal == "":
			l.Reveal = RevealAfter
		}
	}
}

// ClickStore decides, counts and records clicks.
type ClickStore interface {
	// Admit decides the click in one atomic script. If it admits a GET or POST, the
	// same script counts the click and appends its event. A link that has ended, or
	// never existed, is an outcome and not an error. Admit does not count clicks of a
	// link that needs confirmation. A refusal leaves no event: the caller decides
	// which refusals to record. ErrCounted means that the click was counted although
	// Admit returns an error.
	Admit(ctx context.Context, a Attempt) (Admission, error)
	// Spend decides the click again and spends it, in one atomic script, once for each
	// nonce within its window. A refusal leaves no event, as with Admit.
	Spend(ctx context.Context, a Attempt, s Spending) (Spent, error)
	// RecordEvent appends the event of a click whose outcome Admit did not know. For a
	// redirect of a link that has ended meanwhile it returns ErrEnded and appends no
	// event.
	RecordEvent(ctx context.Context, a Attempt, k EventKind, o Outcome) error
	// ReserveAttempt reserves an attempt at the passphrase of a link for a client.
	ReserveAttempt(ctx context.Context, id ID, client string) (PassphraseAttempt, error)
	// ReleaseAttempt releases the attempt, so that it does not count.
	ReleaseAttempt(ctx context.Context, id ID, attempt PassphraseAttempt) error
}

// Attempt is one click.
type Attempt struct {
	ID      ID
	Method  string     // GET, HEAD or POST
	Address string     // of the client, in the form that audit.client_address allows
	Client  netip.Addr // compared with the addresses that a link allows, never stored
	Page    bool       // whether the answer may be a page
	Grant   string     // that the client presented; empty: none
	Form    *Form      // of a POST; nil: no form, or an unreadable one
}

// Form is the form of a confirmation page.
type Form struct {
	Confirm    bool
	Passphrase string
	Nonce      string
}

// Admission is the store's decision on an Attempt.
type Admission struct {
	// Outcome is OutcomeRedirected if the click was counted. It is empty if the link
	// needs confirmation and the caller has to check the grant or form of the Attempt.
	// Every other outcome refuses the click, or shows the page.
	Outcome    Outcome
	Permission Permission // unless the click was refused
	Link       *Link      // if the link needs confirmation
	// Facts are the facts about the link if the click was refused and the Attempt wants a
	// page; nil if the link does not exist or its history is unreadable.
	Facts  *Facts
	UsedUp bool // no click is left, and only grants can use the link
	// Now is the time by the clock of Redis, if the link needs confirmation.
	Now time.Time
}

// Spending are the options of a click that is spent.
type Spending struct {
	Nonce  string        // of the page; empty: none
	Window time.Duration // in which the nonce and a grant are valid
	// Last says that the caller expects this to be the last click of the link. A wrong
	// value costs one round trip more.
	Last bool
}

// Spent is the store's decision on a Spending.
type Spent struct {
	// Outcome is OutcomeRedirected, OutcomeResumed if the nonce had spent a click
	// before, or a refusal.
	Outcome Outcome
	Now     time.Time // by the clock of Redis
	// GrantEnd is the end of the click's grant; zero: there is no grant.
	GrantEnd time.Time
}

// PassphraseAttempt is a reserved attempt at a passphrase.
type PassphraseAttempt struct {
	Reserved string        // names the attempt; empty: the client has no attempt left
	Left     int           // attempts that the client has left after this one, now
	Wait     time.Duration // until the client has an attempt again
}

// Permission holds the parameters of the URL that Keyhole signs for an admitted click.
type Permission struct {
	Ref         ObjectRef
	Pin         string // as in Link
	VersionID   string // if Pin is PinVersion
	ETag        string // if Pin is PinETag
	Filename    string // as in Link
	Disposition string
	ContentType string        // that the storage reported at the issue
	Remaining   time.Duration // of the link's life, by the clock of Redis
	Secrets     Secrets       // of a link with restrictions
}

// Objects reads the properties and keys of the objects in one storage, with the
// credentials of the service.
type Objects interface {
	// Prove reads the object, or a version of it, to show that the object exists and is
	// readable. Its errors are the ErrObject errors and ErrUnavailable.
	Prove(ctx context.Context, bucket, key, version string) (ObjectInfo, error)
	// Stat returns the current state of the object, or of a version of it. Its errors
	// are those of Prove; for a deleted object it returns ErrObjectNotFound. With
	// ErrObjectArchived and ErrObjectKMS it also returns the ObjectInfo, if the
	// storage reports it.
	Stat(ctx context.Context, bucket, key, version string) (ObjectInfo, error)
	// List returns one page of the keys of a bucket. ErrObjectNotReadable means that
	// the credentials may not list the bucket, ErrObjectNotFound that the bucket does
	// not exist.
	List(ctx context.Context, q KeyQuery) (KeyPage, error)
}

// Cursors encrypts the positions of listings that do not come from the store, so that
// no client can read or forge them.
type Cursors interface {
	// SealCursor encrypts a position of the listing that query names.
	SealCursor(ctx context.Context, query, position string) (string, error)
	// OpenCursor returns the position that was encrypted for the same query, or
	// ErrCursor.
	OpenCursor(ctx context.Context, query, cursor string) (string, error)
}
