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

// IssueRequest asks for a link. The policy decides about empty fields.
type IssueRequest struct {
	Action      LinkAction // empty: LinkDownload
	Storage     string     // required if several storages have the bucket
	Bucket      string
	Key         string
	Preset      string
	ExpiresIn   string // a Go duration such as 90m, or days such as 7d
	Sensitive   *bool
	Filename    string
	Disposition string
	Pin         string
	VersionID   string // the version of the object that the link delivers
	Language    string // of the link's pages, one of Languages; empty: the browser decides
	Note        string
	Labels      map[string]string
	MaxClicks   *int64
	Passphrase  *string
	Confirm     bool
	Reveal      string       // RevealAfter or RevealBefore; empty: after, if there is a passphrase
	Allow       []string     // CIDRs or addresses
	NotBefore   *string      // RFC 3339
	Idempotency *Idempotency // nil: a repeat issues another link
	// DryRun makes all checks and issues no link. The result has neither a token nor an ID.
	DryRun bool
}

// Issued is a new link and its token. The token exists nowhere else.
type Issued struct {
	Link  Link
	Token string
}

// NotableSkew is the clock skew from which Keyhole warns operators. The signer's margin
// covers less than this skew, because a Date header gives whole seconds only.
const NotableSkew = 5 * time.Second

// The limits of a request.
const (
	maxKey        = 1024 // bytes; the limit of S3 itself
	maxText       = 1000 // characters of a note, and of a reason
	maxLabels     = 16
	maxLabelName  = 63
	maxLabelValue = 256 // bytes
)

// Issue makes a link for one object. Before it stores the link, it reads the object with
// the service's own credentials. CodeInvalid and CodeOutOfScope name the wrong fields;
// CodeUnavailable means that Redis or the storage did not answer.
func (s *Service) Issue(ctx context.Context, actor *Actor, req *IssueRequest) (Issued, error) {
	if err := actor.Allowed(ActionIssue); err != nil {
		return Issued{}, err
	}
	// The answer names all errors in the request at once.
	policy := s.policy.Load() // the same for the whole request, also during a reload
	_, lives := policy.requestedLife(req)
	restricted, fields := readRestrictions(req)
	fields = slices.Concat(checkIssue(req), lives, fields, policy.checkPassphrase(req.Passphrase))
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
		return Issued{}, outOfScope(actor)
	}
	if issued, err := s.reissue(ctx, req.Idempotency, storage); err != nil || issued.Token != "" {
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
	wanted := Link{
		State: StateActive, Ref: ref, Object: object,
		Preset: terms.Preset, Sensitive: terms.Sensitive, CreatedBy: actor.Name,
		Passphrase: req.Passphrase != nil, Confirm: req.Confirm, Reveal: restricted.reveal,
		Allow: restricted.allow, NotBefore: restricted.notBefore,
		Action: cmp.Or(req.Action, LinkDownload), Filename: req.Filename,
		Disposition: cmp.Or(req.Disposition, DispositionAttachment), Pin: pin, Note: req.Note, Labels: req.Labels,
		Language: req.Language, Sender: actor.DisplayName,
	}
	if req.MaxClicks != nil {
		wanted.MaxClicks = *req.MaxClicks
	}
	if req.DryRun {
		return s.preview(wanted, storage, terms.Life)
	}
	secrets, err := s.secretsFor(ctx, req.Passphrase)
	if err != nil {
		return Issued{}, err
	}
	token, err := s.tokenFor(ctx, req.Idempotency)
	if err != nil {
		return Issued{}, err
	}
	wanted.ID = IDOf(token)
	link, err := s.store.Create(ctx, wanted, secrets, terms.Life, actor.origin())
	switch {
	case errors.Is(err, ErrExists) && req.Idempotency != nil: // a concurrent request was faster
		return s.issuedAs(ctx, token, storage)
	case errors.Is(err, ErrNeverValid):
		return Issued{}, neverValid(err)
	case err != nil:
		return Issued{}, storeError(err)
	}
	link.Warnings, link.Notes = s.warnings(&link, storage, terms.Life), notes(&link)
	s.metrics.issues.issued(terms.Preset, storage.Name)
	return Issued{Link: link, Token: token}, nil
}

// outOfScope refuses an object outside the actor's scope.
func outOfScope(actor *Actor) *Error {
	return &Error{
		Code: CodeOutOfScope, Message: actor.what() + " may not share that object",
		Fields: []FieldError{{"key", string(CodeOutOfScope), "outside the objects of " + actor.what()}},
	}
}

// secretsFor returns the secrets of a new link.
func (s *Service) secretsFor(ctx context.Context, passphrase *string) (Secrets, error) {
	secrets := drawSecrets()
	if passphrase == nil {
		return secrets, nil
	}
	stored, err := s.hasher.make(ctx, *passphrase)
	if err != nil {
		return Secrets{}, &Error{Code: CodeUnavailable, Message: "the service is overloaded; try again later", Err: err}
	}
	secrets.Passphrase = stored
	return secrets, nil
}

// storageOf returns the storage that a request names. Only configured buckets exist, so a
// client's input never chooses a host. An actor whose scope has no object in the bucket
// gets neither a storage nor an error, so that it cannot learn which buckets exist.
func (s *Service) storageOf(actor *Actor, name, bucket string) (*Storage, *Error) {
	found := s.storagesWith(name, bucket, func(storage *Storage) bool {
		return actor.seesBelow(ObjectRef{Storage: storage.Name, Bucket: bucket})
	})
	switch {
	case len(found) == 1:
		return found[0], nil
	case len(found) > 1:
		return nil, severalStorages()
	case !actor.Unrestricted():
		return nil, nil //nolint:nilnil // See the comment of the function.
	case name != "" && s.storage(name) == nil:
		return nil, Invalid("storage", "unknown_storage", "the configuration has no storage with this name")
	}
	return nil, Invalid("bucket", "unknown_bucket", s.noSuchBucket(actor, name, bucket))
}

// storagesWith returns the admitted storages that have the bucket. An empty name selects
// storages of every name.
func (s *Service) storagesWith(name, bucket string, admitted func(*Storage) bool) []*Storage {
	var found []*Storage
	for _, storage := range s.storages {
		if storage.has(bucket) && (name == "" || storage.Name == name) && admitted(storage) {
			found = append(found, storage)
		}
	}
	return found
}

// severalStorages refuses a bucket name that several storages have.
func severalStorages() *Error {
	return Invalid("storage", "required", "several storages have a bucket with this name; send storage")
}

// warnings returns the risks of a link for the operator. A warning does not stop the
// issue.
func (s *Service) warnings(link *Link, storage *Storage, life time.Duration) []Warning {
	var found []Warning
	if s.insecure {
		found = append(found, Warning{
			WarnHTTPPublicURL, "the link is plain http; anyone who can read the traffic can use it",
		})
	}
	if link.Object.VersionID == "" && link.Object.ETag == "" {
		found = append(found, Warning{
			WarnNotPinned,
			"the storage reports neither a version nor an ETag: if the object is replaced, the link delivers the replacement",
		})
	}
	if life > longExpiry {
		found = append(found, Warning{
			WarnLongExpiry, fmt.Sprintf("the link lives for %s; revoke it when it is no longer needed", SpellLife(life)),
		})
	}
	found = append(found, contentWarnings(link)...)
	if skew, known := storage.skew(); known && skew.Abs() >= NotableSkew {
		found = append(found, Warning{WarnClockSkew, fmt.Sprintf(
			"the storage's clock is off by %s; URLs are signed with the storage's time", skew.Round(time.Second))})
	}
	return found
}

// notes returns the notes for the operator about the behaviour of a link.
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
			NoteNoteHidden, `recipients will not see the note: the page hides everything about the file until ` +
				`the passphrase is entered, and then the download starts; set "reveal" to "before" to show the note`,
		})
	}
	return found
}

// storageAway is the message for the operator if a storage does not answer.
const storageAway = "the storage is unavailable; try again"

// proofError returns the Error for an object that cannot be shared. The storage's own
// text goes to the log only.
func proofError(err error) error {
	field := func(code, message string) *Error { return invalidBecause(err, "key", code, message) }
	switch {
	case errors.Is(err, ErrObjectNotFound):
		return field("object_not_found", "there is no such object in the bucket")
	case errors.Is(err, ErrObjectNotReadable):
		return field("object_not_readable", "the service's credentials may not read this object, "+
			"or the object does not exist and the credentials may not list the bucket")
	case errors.Is(err, ErrObjectArchived):
		return field("object_archived", "the object is archived; restore it first")
	case errors.Is(err, ErrObjectEncrypted):
		return field("object_encrypted",
			"the object is encrypted with a customer-provided key (SSE-C), which a presigned URL cannot contain")
	case errors.Is(err, ErrObjectKMS):
		return field("object_kms_denied", "the object is encrypted with a KMS key that is disabled "+
			"or that the service's credentials may not use; allow kms:Decrypt on the key")
	}
	return &Error{Code: CodeUnavailable, Message: storageAway, Err: err}
}

// checkIssue returns the errors in all fields that need neither the storage nor Redis.
func checkIssue(req *IssueRequest) []FieldError {
	var found []FieldError
	refuse := func(field, code, format string, args ...any) {
		found = append(found, FieldError{field, code, fmt.Sprintf(format, args...)})
	}
	if req.Action != "" && !slices.Contains(LinkActions(), req.Action) {
		refuse("action", "invalid", "must be %s", LinkDownload)
	}
	if req.Bucket == "" {
		refuse("bucket", "required", "send the name of a bucket")
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
		refuse("disposition", "invalid", "must be attachment or inline")
	}
	found = append(found, checkPin(req)...)
	found = append(found, checkLanguage(req.Language)...)
	found = append(found, checkText("note", req.Note)...)
	return append(found, checkLabels(req.Labels)...)
}

// checkText returns an error for a note or reason that is too long.
func checkText(field, text string) []FieldError {
	if n := utf8.RuneCountInString(text); n > maxText {
		return []FieldError{{field, "too_long", fmt.Sprintf("has %d characters; the limit is %d", n, maxText)}}
	}
	return nil
}

// keyProblem returns the code and message for an object key that cannot be shared, or
// empty strings.
func keyProblem(key string) (code, why string) {
	if key == "" {
		return "required", "send the key of an object"
	}
	if code, why := textProblem(key); why != "" {
		return code, why
	}
	for segment := range strings.SplitSeq(key, "/") {
		if segment == "." || segment == ".." {
			return "invalid", "the key has a segment . or ..; clients remove such a segment, " +
				"so the link would lead to another object"
		}
	}
	return "", ""
}

// Shareable reports whether a link can point to an object with this key.
func Shareable(key string) bool {
	_, why := keyProblem(key)
	return why == ""
}

// textProblem returns the code and message for a text that cannot be part of an object
// key, or empty strings.
func textProblem(text string) (code, why string) {
	switch {
	case len(text) > maxKey:
		return "too_long", fmt.Sprintf("has %d bytes; the limit of object keys is %d", len(text), maxKey)
	case strings.ContainsFunc(text, func(r rune) bool { return r < ' ' }):
		return "invalid", "a key with control characters cannot be shared"
	}
	return "", ""
}

// filenameProblem returns the message for an invalid file name, or an empty string.
func filenameProblem(name string) string {
	if len(name) > maxFilename {
		return fmt.Sprintf("has %d bytes; the limit is %d", len(name), maxFilename)
	}
	if name != "" && blankName(name) {
		return "must not consist of dots, spaces and invisible characters only"
	}
	if strings.ContainsFunc(name, func(r rune) bool { return !fileNameRune(r) }) {
		return "must not have a path, control characters or characters that change the reading direction"
	}
	return ""
}

// checkLabels returns the errors in labels.
func checkLabels(labels map[string]string) []FieldError {
	var found []FieldError
	if len(labels) > maxLabels {
		found = append(found, FieldError{"labels", "too_many", fmt.Sprintf(
			"there are %d labels; the limit is %d", len(labels), maxLabels)})
	}
	for _, name := range slices.Sorted(maps.Keys(labels)) {
		value := labels[name]
		if !validLabelName(name) {
			found = append(found, FieldError{"labels", "invalid", fmt.Sprintf(
				"%.64q: a label's name has 1 to 63 of a-z, 0-9, dot, underscore and hyphen", name)})
		}
		if len(value) > maxLabelValue || strings.ContainsFunc(value, unicode.IsControl) {
			found = append(found, FieldError{"labels", "invalid", fmt.Sprintf(
				"%.64q: a label's value has at most %d bytes and no control characters", name, maxLabelValue)})
		}
	}
	return found
}

// validLabelName reports whether name has 1 to 63 characters of [a-z0-9._-].
func validLabelName(name string) bool {
	return name != "" && len(name) <= maxLabelName && strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789._-") == ""
}
