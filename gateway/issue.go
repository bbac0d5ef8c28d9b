package gateway

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// IssueRequest asks for a link. Empty fields are left to the policy.
type IssueRequest struct {
	Storage     string // needed where several storages have the bucket
	Bucket      string
	Key         string
	Preset      string
	ExpiresIn   string // Go duration, or days
	Sensitive   *bool
	Filename    string
	Disposition string
	Pin         string
	VersionID   string // of the object's versions this one
	Note        string
	Labels      map[string]string
	MaxClicks   *int64
	Passphrase  *string
	Confirm     bool
	Reveal      string   // RevealAfter or RevealBefore; empty: after, if there is a passphrase
	Allow       []string // CIDRs or addresses
	NotBefore   *string  // RFC 3339
	Retry       *Retry   // nil: to ask again makes another link
}

// Issued is a fresh link and the token that opens it, which exists nowhere else
// from here on.
type Issued struct {
	Link  Link
	Token string
}

// NotableSkew is the skew from which on operators are warned: below it, the margin of every
// signature covers what a Date of whole seconds cannot tell.
const NotableSkew = 5 * time.Second

// The limits of a request.
const (
	maxKey        = 1024 // bytes; the limit of S3 itself
	maxText       = 1000 // characters of a note, and of a reason
	maxLabels     = 16
	maxLabelName  = 63
	maxLabelValue = 256 // bytes
)

// Issue makes a link for one object, after the storage has shown that the object
// exists and can be read with the service's own credentials.
func (s *Service) Issue(ctx context.Context, actor *Actor, req *IssueRequest) (Issued, error) {
	if err := actor.Allowed(ActionIssue); err != nil {
		return Issued{}, err
	}
	// All that is wrong with the request by itself is named at once.
	policy := s.policy.Load() // one, whatever is reloaded meanwhile
	_, lives := policy.asked(req)
	restricted, fields := readRestrictions(req)
	fields = slices.Concat(checkIssue(req), lives, fields)
	storage, unknown := s.storageOf(actor, req.Storage, req.Bucket)
	if unknown != nil && req.Bucket != "" {
		fields = append(fields, unknown.Fields...)
	}
	if len(fields) > 0 {
		return Issued{}, invalidFields(fields...)
	}
	var ref ObjectRef
	if storage != nil {
		ref = ObjectRef{Storage: storage.Name, Bucket: req.Bucket, Key: req.Key}
	}
	if storage == nil || !actor.Sees(ref) {
		return Issued{}, &Error{
			Code: CodeOutOfScope, Message: actor.what() + " may not share that object",
			Fields: []FieldError{{"key", string(CodeOutOfScope), "outside the objects of " + actor.what()}},
		}
	}
	if issued, err := s.reissue(ctx, req.Retry, storage); err != nil || issued.Token != "" {
		return issued, err
	}
	terms, err := policy.Decide(actor, ref, req)
	if err != nil {
		return Issued{}, err
	}
	object, pin, err := prove(ctx, storage, req, terms.Sensitive != nil && *terms.Sensitive)
	if err != nil {
		return Issued{}, err
	}
	secrets, err := s.secretsFor(ctx, req.Passphrase)
	if err != nil {
		return Issued{}, err
	}
	token, err := s.tokenFor(ctx, req.Retry)
	if err != nil {
		return Issued{}, err
	}
	wanted := Link{
		ID: IDOf(token), State: StateActive, Ref: ref, Object: object,
		Preset: terms.Preset, Sensitive: terms.Sensitive, CreatedBy: actor.Name,
		Passphrase: req.Passphrase != nil, Confirm: req.Confirm, Reveal: restricted.reveal,
		Allow: restricted.allow, NotBefore: restricted.notBefore,
		Action: LinkDownload, Filename: req.Filename, Disposition: cmp.Or(req.Disposition, DispositionAttachment), Pin: pin,
		Note: req.Note, Labels: req.Labels,
	}
	if req.MaxClicks != nil {
		wanted.MaxClicks = *req.MaxClicks
	}
	link, err := s.store.Create(ctx, wanted, secrets, terms.Life, actor.origin())
	switch {
	case errors.Is(err, ErrExists) && req.Retry != nil: // another try came between
		return s.issuedAs(ctx, token, storage)
	case errors.Is(err, ErrNeverValid):
		return Issued{}, invalidBecause(err, "not_before", "invalid", "the link would end before it begins")
	case err != nil:
		return Issued{}, storeError(err)
	}
	link.Warnings, link.Notes = s.warnings(&link, storage, terms.Life), notes(&link)
	s.metrics.issues.issued(terms.Preset, storage.Name)
	return Issued{Link: link, Token: token}, nil
}

// secretsFor makes the secrets of a new link.
func (s *Service) secretsFor(ctx context.Context, passphrase *string) (Secrets, error) {
	secrets := drawSecrets()
	if passphrase == nil {
		return secrets, nil
	}
	kept, err := s.hasher.make(ctx, *passphrase)
	if err != nil {
		return Secrets{}, &Error{Code: CodeUnavailable, Message: "too much is asked of the service now; try again", Err: err}
	}
	secrets.Passphrase = kept
	return secrets, nil
}

// storageOf finds the storage that a request means. Only configured buckets are
// known: a client's input never chooses a host. To a key that may see something of it
// in none, all buckets and storages are alike, and it gets neither.
func (s *Service) storageOf(actor *Actor, name, bucket string) (*Storage, *Error) {
	found := s.storagesWith(name, bucket, func(storage *Storage) bool {
		return actor.seesBelow(ObjectRef{Storage: storage.Name, Bucket: bucket})
	})
	switch {
	case len(found) == 1:
		return found[0], nil
	case len(found) > 1:
		return nil, severalStorages()
	case !actor.seesAll():
		return nil, nil //nolint:nilnil // As said.
	case name != "" && s.storage(name) == nil:
		return nil, Invalid("storage", "unknown_storage", "there is no storage of that name in the configuration")
	}
	return nil, Invalid("bucket", "unknown_bucket", "that bucket is not in the configuration")
}

// storagesWith returns the admitted storages that have the bucket, those of any
// name where name is empty.
func (s *Service) storagesWith(name, bucket string, admitted func(*Storage) bool) []*Storage {
	var found []*Storage
	for _, storage := range s.storages {
		if storage.has(bucket) && (name == "" || storage.Name == name) && admitted(storage) {
			found = append(found, storage)
		}
	}
	return found
}

// severalStorages refuses a bucket's name that says too little.
func severalStorages() *Error {
	return Invalid("storage", "required", "several storages have a bucket of that name; say which")
}

// warnings tells the operator what is unwise about the link, and stops nothing.
func (s *Service) warnings(link *Link, storage *Storage, life time.Duration) []Warning {
	var found []Warning
	if s.insecure {
		found = append(found, Warning{WarnHTTPPublicURL, "the link is plain http: whoever listens on the way can use it"})
	}
	if link.Object.VersionID == "" && link.Object.ETag == "" {
		found = append(found, Warning{
			WarnNotPinned,
			"the storage reports neither a version nor an ETag: if the object is replaced, the link delivers the replacement",
		})
	}
	if life > longExpiry {
		found = append(found, Warning{WarnLongExpiry, fmt.Sprintf("the link lives for %s; revoke it when it has served", FormatLife(life))})
	}
	found = append(found, contentWarnings(link)...)
	if skew, known := storage.skew(); known && skew.Abs() >= NotableSkew {
		found = append(found, Warning{WarnClockSkew, fmt.Sprintf("the storage's clock is off by %s; links are signed by its time", skew.Round(time.Second))})
	}
	return found
}

// notes tells the operator what the link will do without being asked.
func notes(link *Link) []Note {
	var found []Note
	switch link.Pin {
	case PinVersion:
		found = append(found, Note{
			NoteVersionPinned, "the link delivers this version, also after a newer version replaces it",
		})
	case PinETag:
		found = append(found, Note{
			NoteETagOnly, "the link is pinned to the ETag: it stops working if the object is replaced",
		})
	}
	if link.Note != "" && link.Reveal == RevealAfter {
		found = append(found, Note{
			NoteNoteHidden, `recipients will not see the note: before the passphrase the page shows nothing about ` +
				`the file, and after it comes the download; set "reveal" to "before" to show it`,
		})
	}
	return found
}

// storageAway is what an operator reads of a storage that does not answer.
const storageAway = "the storage cannot be asked now; try again"

// proofError says why an object cannot be shared. The storage's own words go to
// the log alone.
func proofError(err error) error {
	field := func(code, message string) *Error { return invalidBecause(err, "key", code, message) }
	switch {
	case errors.Is(err, ErrObjectNotFound):
		return field("object_not_found", "there is no such object in the bucket")
	case errors.Is(err, ErrObjectNotReadable):
		return field("object_not_readable", "the service's credentials may not read that object, or may not list the bucket to see that it is missing")
	case errors.Is(err, ErrObjectArchived):
		return field("object_archived", "the object is archived; restore it first")
	case errors.Is(err, ErrObjectEncrypted):
		return field("object_encrypted", "the object is encrypted with a customer's own key (SSE-C), which no presigned URL can carry")
	case errors.Is(err, ErrObjectKMS):
		return field("object_kms_denied", "the object is encrypted with a key of KMS that the service's credentials may not use, or that is disabled; allow them kms:Decrypt on it")
	}
	return &Error{Code: CodeUnavailable, Message: storageAway, Err: err}
}

// checkIssue names every field that cannot be, before anything is asked of the
// storage or Redis.
func checkIssue(req *IssueRequest) []FieldError {
	var found []FieldError
	refuse := func(field, code, format string, args ...any) {
		found = append(found, FieldError{field, code, fmt.Sprintf(format, args...)})
	}
	if req.Bucket == "" {
		refuse("bucket", "required", "say which bucket")
	}
	if code, why := keyProblem(req.Key); why != "" {
		refuse("key", code, "%s", why)
	}
	if why := filenameProblem(req.Filename); why != "" {
		refuse("filename", "invalid", "%s", why)
	}
	switch req.Disposition {
	case "", DispositionAttachment, DispositionInline:
	default:
		refuse("disposition", "invalid", "attachment or inline")
	}
	found = append(found, checkPin(req)...)
	found = append(found, checkText("note", req.Note)...)
	return append(found, checkLabels(req.Labels)...)
}

// checkText names a note or reason that is too long.
func checkText(field, text string) []FieldError {
	if utf8.RuneCountInString(text) > maxText {
		return []FieldError{{field, "too_long", fmt.Sprintf("at most %d characters", maxText)}}
	}
	return nil
}

// keyProblem says why a key cannot be shared, or nothing.
func keyProblem(key string) (code, why string) {
	if key == "" {
		return "required", "say which object"
	}
	if code, why := textProblem(key); why != "" {
		return code, why
	}
	for segment := range strings.SplitSeq(key, "/") {
		if segment == "." || segment == ".." {
			return "invalid", "clients collapse the segments . and .. and would fetch another object"
		}
	}
	return "", ""
}

// Shareable tells whether a link can point to an object of that key.
func Shareable(key string) bool {
	_, why := keyProblem(key)
	return why == ""
}

// textProblem says why a text can be no key, and no part of one.
func textProblem(text string) (code, why string) {
	switch {
	case len(text) > maxKey:
		return "too_long", fmt.Sprintf("a key has at most %d bytes", maxKey)
	case strings.ContainsFunc(text, func(r rune) bool { return r < ' ' }):
		return "invalid", "a key with control characters cannot be shared"
	}
	return "", ""
}

// filenameProblem says why a file name cannot be offered, or nothing.
func filenameProblem(name string) string {
	if len(name) > maxFilename {
		return fmt.Sprintf("at most %d bytes", maxFilename)
	}
	if name != "" && blankName(name) {
		return "a file name needs more than dots, spaces and invisible characters"
	}
	if strings.ContainsFunc(name, func(r rune) bool { return !fileNameRune(r) }) {
		return "a file name has no path, no control characters and nothing that turns the reading direction"
	}
	return ""
}

// checkLabels names what is wrong with labels.
func checkLabels(labels map[string]string) []FieldError {
	var found []FieldError
	if len(labels) > maxLabels {
		found = append(found, FieldError{"labels", "too_many", fmt.Sprintf("at most %d labels", maxLabels)})
	}
	for _, name := range slices.Sorted(maps.Keys(labels)) {
		value := labels[name]
		if !validLabelName(name) {
			found = append(found, FieldError{"labels", "invalid", fmt.Sprintf("%.64q: a label's name is 1 to 63 of a-z, 0-9, dot, underscore and hyphen", name)})
		}
		if len(value) > maxLabelValue || strings.ContainsFunc(value, unicode.IsControl) {
			found = append(found, FieldError{"labels", "invalid", fmt.Sprintf("%.64q: a label's value has at most %d bytes and no control characters", name, maxLabelValue)})
		}
	}
	return found
}

// validLabelName tells whether name is one to 63 of [a-z0-9._-].
func validLabelName(name string) bool {
	return name != "" && len(name) <= maxLabelName && strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789._-") == ""
}
