package api

import "time"

// MediaType is the content type of all JSON requests and answers except problems.
const MediaType = "application/json"

// ProblemType is the content type of errors, RFC 9457.
const ProblemType = "application/problem+json"

// MaxLimit is the largest number of entries on one page.
const MaxLimit = 500

// IssueRequest is the body of POST /api/v1/links.
type IssueRequest struct {
	Storage     string            `json:"storage,omitempty"`
	Bucket      string            `json:"bucket"`
	Key         string            `json:"key"`
	Preset      string            `json:"preset,omitempty"`
	ExpiresIn   string            `json:"expires_in,omitempty"`
	Sensitive   *bool             `json:"sensitive,omitempty"`
	MaxClicks   *int64            `json:"max_clicks,omitempty"`
	Passphrase  *string           `json:"passphrase,omitempty"`
	Filename    string            `json:"filename,omitempty"`
	Disposition string            `json:"disposition,omitempty"`
	Confirm     bool              `json:"confirm,omitempty"`
	Reveal      string            `json:"reveal,omitempty"`
	Allow       []string          `json:"allow,omitempty"`
	NotBefore   *string           `json:"not_before,omitempty"`
	Pin         string            `json:"pin,omitempty"`
	VersionID   string            `json:"version_id,omitempty"`
	Language    string            `json:"language,omitempty"`
	Note        string            `json:"note,omitempty"`
	Labels      map[string]string `json:"labels,omitempty"`
	// IdempotencyKey makes the request safe to repeat, in the header of that name.
	IdempotencyKey string `json:"-"`
}

// BatchRequest is the body of POST /api/v1/links:batch.
type BatchRequest struct {
	Links  []IssueRequest `json:"links"`
	DryRun bool           `json:"dry_run,omitempty"` // make all checks and issue no link
	// IdempotencyKey makes the whole batch safe to repeat, in the header of that name. The
	// IdempotencyKey of each link is ignored.
	IdempotencyKey string `json:"-"`
}

// BatchResult is the result of one link of a batch: either Link or Problem. Status is the
// status that POST /api/v1/links would answer, and 200 for a link of a dry run.
type BatchResult struct {
	Status int `json:"status"`
	// Link of a dry run has neither an ID nor a URL, and its times are estimates.
	Link    *Link    `json:"link,omitempty"`
	Problem *Problem `json:"problem,omitempty"`
}

// Batch is the answer of POST /api/v1/links:batch. The results have the order of the
// requests.
type Batch struct {
	Results []BatchResult `json:"results"`
}

// ChangeRequest is the body of PATCH /api/v1/links/{id}. Absent fields stay unchanged.
type ChangeRequest struct {
	ExpiresIn *string            `json:"expires_in,omitempty"`
	MaxClicks *int64             `json:"max_clicks,omitempty"`
	Language  *string            `json:"language,omitempty"`
	Note      *string            `json:"note,omitempty"`
	Labels    *map[string]string `json:"labels,omitempty"`
	Paused    *bool              `json:"paused,omitempty"`
	// Allow replaces all addresses and networks that may use the link.
	Allow      *[]string `json:"allow,omitempty"`
	Passphrase *string   `json:"passphrase,omitempty"`
	NotBefore  *string   `json:"not_before,omitempty"`
	// Remove lists the restrictions to remove: allow, passphrase and not_before.
	Remove []string `json:"remove,omitempty"`
	// IfMatch is the ETag that the link must have, in the header of that name; empty: any.
	IfMatch string `json:"-"`
}

// RevocationRequest is the body of POST /api/v1/revocations.
type RevocationRequest struct {
	Bucket     *string            `json:"bucket,omitempty"`
	Prefix     *string            `json:"prefix,omitempty"`
	Key        *string            `json:"key,omitempty"`
	CreatedBy  *string            `json:"created_by,omitempty"`
	Label      *string            `json:"label,omitempty"`  // name=value
	Labels     *map[string]string `json:"labels,omitempty"` // a link must have all of them
	State      *string            `json:"state,omitempty"`  // one state or several, separated by commas
	Since      *string            `json:"since,omitempty"`  // a time or an age, of the issue
	Used       *string            `json:"used,omitempty"`   // only "never"
	EndsWithin *string            `json:"ends_within,omitempty"`
	EndsAfter  *string            `json:"ends_after,omitempty"` // a time or a duration from now, of the end
	All        bool               `json:"all,omitempty"`
	Reason     string             `json:"reason,omitempty"`
	DryRun     bool               `json:"dry_run,omitempty"`
	Cursor     string             `json:"cursor,omitempty"` // Next of the answer before
}

// Revocation is the answer of POST /api/v1/revocations.
type Revocation struct {
	Matched int `json:"matched"`
	// UsedUp counts those of Matched that are used up and whose downloads can be resumed. A
	// revocation ends the resuming.
	UsedUp  int `json:"used_up,omitempty"`
	Revoked int `json:"revoked"`
	// Unreadable counts links that may be selected, but whose records only a newer
	// version of the service can read. They were not revoked.
	Unreadable int    `json:"unreadable,omitempty"`
	Done       bool   `json:"done"`
	Next       string `json:"next,omitempty"` // cursor of the next call
}

// Link is a link in every answer. Only the answer to the issue has the URL, which contains
// the token.
type Link struct {
	ID           string            `json:"id"`
	URL          string            `json:"url,omitempty"`
	State        string            `json:"state"`
	Storage      string            `json:"storage"`
	Bucket       string            `json:"bucket"`
	Key          string            `json:"key"`
	Object       Object            `json:"object"`
	Preset       string            `json:"preset"`
	Sensitive    *bool             `json:"sensitive"`
	ExpiresAt    time.Time         `json:"expires_at"`
	CreatedAt    time.Time         `json:"created_at"`
	CreatedBy    string            `json:"created_by"`
	Clicks       int64             `json:"clicks"`
	LastUsedAt   *time.Time        `json:"last_used_at"` // the last download; nil: never
	MaxClicks    *int64            `json:"max_clicks"`
	Confirm      bool              `json:"confirm"`
	Passphrase   bool              `json:"passphrase"`
	Reveal       string            `json:"reveal"`
	Filename     string            `json:"filename"`
	Disposition  string            `json:"disposition"`
	Allow        []string          `json:"allow"`
	NotBefore    *time.Time        `json:"not_before"`
	Pin          string            `json:"pin"`
	Language     string            `json:"language"`
	Note         string            `json:"note"`
	Labels       map[string]string `json:"labels"`
	RevokedAt    *time.Time        `json:"revoked_at,omitempty"`
	RevokedBy    string            `json:"revoked_by,omitempty"`
	RevokeReason string            `json:"revoke_reason,omitempty"`
	Warnings     []Warning         `json:"warnings"`
	Notes        []Note            `json:"notes"`
	// ETag is the header of that name in an answer with one link. It changes with each
	// change by an operator.
	ETag string `json:"-"`
	// Answered is the header Date of the answer that issued the link or a batch with it.
	Answered time.Time `json:"-"`
}

// Object is what the storage reported about the object at the issue.
type Object struct {
	Size         *int64     `json:"size"` // nil: not reported
	ETag         string     `json:"etag"`
	VersionID    string     `json:"version_id"`
	ContentType  string     `json:"content_type"`
	LastModified *time.Time `json:"last_modified"` // nil: not reported
}

// Warning is a risk of a link that the operator should know. It does not stop the issue.
type Warning struct {
	Code    string `json:"code"`
	Message string `json:"message"`
}

// Note describes the behaviour of a link, in the answer to the issue or a change. It needs no decision.
type Note struct {
	Code    string `json:"code"`
	Message string `json:"message"`
}

// LinkPage is the answer of GET /api/v1/links.
type LinkPage struct {
	Links []Link `json:"links"`
	Next  string `json:"next,omitempty"`
	// Searched is the number of index entries that the service examined for this page, if
	// there is a next one.
	Searched int `json:"searched,omitempty"`
}

// Bucket is one bucket that links may be issued from.
type Bucket struct {
	Storage string `json:"storage"`
	Bucket  string `json:"bucket"`
}

// BucketList is the answer of GET /api/v1/buckets.
type BucketList struct {
	Buckets []Bucket `json:"buckets"`
}

// The values of Operator.AdmittedBy.
const (
	AdmittedByKey   = "key"   // an operator key of the configuration
	AdmittedByToken = "token" // a token of the identity provider
)

// Operator is the answer of GET /api/v1/operator: the operator who sent the request, and
// what that operator may do now.
type Operator struct {
	Name        string   `json:"name"`
	DisplayName string   `json:"display_name,omitempty"`
	AdmittedBy  string   `json:"admitted_by"`
	Grant       string   `json:"grant,omitempty"` // of a token; empty: the token matches none
	Can         []string `json:"can"`
	Objects     []string `json:"objects"`    // patterns [storage:]bucket/key
	MaxExpiry   *string  `json:"max_expiry"` // of the key or grant; nil: only the policy limits links
	Caps        Caps     `json:"caps"`
	Presets     []Preset `json:"presets"`
	Version     string   `json:"version"` // of the service
}

// Caps are the longest lives of a link that an operator can issue, by the sensitivity of
// the object, in the form of expires_in.
type Caps struct {
	Sensitive    string `json:"sensitive"`
	NotStated    string `json:"not_stated"`
	NotSensitive string `json:"not_sensitive"`
}

// Preset is a name for the life of a link, and that life in the form of expires_in.
type Preset struct {
	Name      string `json:"name"`
	ExpiresIn string `json:"expires_in"`
}

// ObjectEntry is an object in a listing.
type ObjectEntry struct {
	Key          string     `json:"key"`
	Size         *int64     `json:"size"` // nil: not reported
	ETag         string     `json:"etag"`
	LastModified *time.Time `json:"last_modified"` // nil: not reported
	StorageClass string     `json:"storage_class,omitempty"`
	Sensitive    bool       `json:"sensitive,omitempty"` // by policy.sensitive_objects
}

// ObjectPage is the answer of GET /api/v1/objects.
type ObjectPage struct {
	Storage string        `json:"storage"`
	Bucket  string        `json:"bucket"`
	Folders []string      `json:"folders"`
	Objects []ObjectEntry `json:"objects"`
	Next    string        `json:"next,omitempty"`
}

// Event is one event of a link. Only the audit has the object, while the link is known.
type Event struct {
	// ID names the event: the same text on every page that shows the event, whichever
	// gateway answers. It is empty if the audit does not keep the event any more.
	ID      string    `json:"id,omitempty"`
	Time    time.Time `json:"time"`
	Kind    string    `json:"kind"`
	Link    string    `json:"link"`
	Outcome string    `json:"outcome,omitempty"`
	Method  string    `json:"method,omitempty"`
	Actor   string    `json:"actor,omitempty"`
	Address string    `json:"address,omitempty"`
	Reason  string    `json:"reason,omitempty"`
	Storage string    `json:"storage,omitempty"`
	Bucket  string    `json:"bucket,omitempty"`
	Key     string    `json:"key,omitempty"`
}

// EventPage is the answer of GET /api/v1/links/{id}/events and of GET /api/v1/audit. More
// says that the audit with order=oldest has more events than this page.
type EventPage struct {
	Events []Event `json:"events"`
	Next   string  `json:"next,omitempty"`
	More   bool    `json:"more,omitempty"`
	// Searched is the number of events that the service examined for a page of the audit, if
	// there is a next one.
	Searched int `json:"searched,omitempty"`
}

// ErasureRequest is the body of POST /api/v1/audit/erasures. Exactly one of Link and
// Address is set.
type ErasureRequest struct {
	Link    string `json:"link,omitempty"`
	Address string `json:"address,omitempty"` // also a network or hash as the audit shows it
	Reason  string `json:"reason,omitempty"`
	DryRun  bool   `json:"dry_run,omitempty"` // count the events without a change
	Cursor  string `json:"cursor,omitempty"`  // Next of the answer before
}

// Erasure is the answer of POST /api/v1/audit/erasures.
type Erasure struct {
	// FeedEvents and LinkEvents count the events of the audit, and of the links' own
	// histories, from which this call erased an address, or would erase it in a dry run.
	FeedEvents int `json:"feed_events"`
	LinkEvents int `json:"link_events"`
	// Unreadable counts events that only a newer version of the service can read.
	Unreadable int    `json:"unreadable,omitempty"`
	Done       bool   `json:"done"`
	Next       string `json:"next,omitempty"` // cursor of the next call
	Remains    []Note `json:"remains"`        // what an erasure does not reach
}

// Problem is an error in the format of RFC 9457, with the extension members code, errors and
// request_id.
type Problem struct {
	Type   string       `json:"type"`
	Title  string       `json:"title"`
	Status int          `json:"status"`
	Code   string       `json:"code"`
	Detail string       `json:"detail"`
	Errors []FieldError `json:"errors,omitempty"`
	// RequestID is the header X-Request-Id of the answer. The log of the service has it too.
	RequestID string `json:"request_id,omitempty"`
}

// FieldError is the error in one field of a request.
type FieldError struct {
	Field   string `json:"field"`
	Code    string `json:"code"`
	Message string `json:"message"`
}

// Readiness is the body of GET /readyz.
type Readiness struct {
	Ready    bool              `json:"ready"`
	Redis    string            `json:"redis"`
	Storages map[string]string `json:"storages"`
}
