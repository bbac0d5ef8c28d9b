package gateway

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"golang.org/x/text/unicode/norm"
)

// Bucket is one of the configured buckets.
type Bucket struct {
	Storage string
	Name    string
}

// ObjectsQuery selects objects of a bucket.
type ObjectsQuery struct {
	Storage string // required if several storages have the bucket
	Bucket  string
	Prefix  string // of the object key, literal bytes
	Search  string // text anywhere after the prefix, ignoring case; empty: browse by folders
	Cursor  string
	Limit   int
}

// ObjectsPage is one page of a bucket's objects, in the order of the bytes of their keys.
// It has folders, which end in a slash, only without a search.
type ObjectsPage struct {
	Storage string
	Folders []string
	Objects []ObjectEntry
	Next    string // cursor of the next page; empty: this is the last page
	// Searched is the number of objects that a search compared for this page, and LastKey is
	// the object key of the last one. Both ignore objects outside of the actor's scope, so
	// they reveal nothing about those. Without a search they are 0 and empty.
	Searched int
	LastKey  string
}

// browseBudget is the largest number of requests to the storage for one page, each for up
// to maxKeys keys. Because of it, a search through millions of keys returns many short
// pages and not one slow page.
const browseBudget = 5

// maxKeys is the largest number of keys that S3 lists in one response (AWS,
// "ListObjectsV2").
const maxKeys = 1000

// Buckets returns the configured buckets in which the actor's scope has objects.
func (s *Service) Buckets(actor *Actor) ([]Bucket, error) {
	if err := actor.Allowed(ActionBrowse); err != nil {
		return nil, err
	}
	var visible []Bucket
	for _, storage := range s.storages {
		for _, bucket := range storage.Buckets {
			if actor.seesBelow(ObjectRef{Storage: storage.Name, Bucket: bucket}) {
				visible = append(visible, Bucket{Storage: storage.Name, Name: bucket})
			}
		}
	}
	return visible, nil
}

// maxNamed is the largest number of buckets that noSuchBucket names.
const maxNamed = 10

// bucketName matches the names of S3 buckets.
var bucketName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9.-]{0,62}$`)

// noSuchBucket returns the message about a bucket that no storage has, or that the named
// storage does not have. If the actor may list buckets, it names those that there are.
func (s *Service) noSuchBucket(actor *Actor, storage, bucket string) string {
	where, which := "the configuration", "this bucket"
	if storage != "" {
		where = "the storage " + storage
	}
	// Other text may be a URL with a secret, or a token.
	if bucketName.MatchString(bucket) && !ValidToken(bucket) {
		which = "the bucket " + bucket
	}
	message := where + " does not have " + which
	visible, err := s.Buckets(actor)
	if err != nil {
		return message
	}
	var names []string
	for _, b := range visible {
		if storage == "" || b.Storage == storage {
			names = append(names, b.Name)
		}
	}
	slices.Sort(names)
	names = slices.Compact(names)
	if len(names) == 0 {
		return message
	}
	message += "; it has " + strings.Join(names[:min(len(names), maxNamed)], ", ")
	if more := len(names) - maxNamed; more > 0 {
		message += fmt.Sprintf(" and %d more", more)
	}
	return message
}

// Objects returns one page of a bucket's objects in the actor's scope. A page with a Next
// can be short or empty. An invalid cursor gets CodeBadRequest, an unknown bucket
// CodeNotFound, and a bucket that cannot be listed CodeInvalid.
func (s *Service) Objects(ctx context.Context, actor *Actor, q ObjectsQuery) (ObjectsPage, error) {
	if err := actor.Allowed(ActionBrowse); err != nil {
		return ObjectsPage{}, err
	}
	var wrong []FieldError
	for _, field := range []struct{ name, text string }{{"prefix", q.Prefix}, {"search", q.Search}} {
		if code, why := textProblem(field.text); why != "" {
			wrong = append(wrong, FieldError{field.name, code, why})
		}
	}
	if len(wrong) > 0 {
		return ObjectsPage{}, invalidFields(wrong...)
	}
	storage, err := s.browsable(actor, q.Storage, q.Bucket)
	if err != nil {
		return ObjectsPage{}, err
	}
	b := browsing{
		actor: actor, storage: storage, query: q,
		sensitive: s.policy.Load().SensitiveObjects, page: ObjectsPage{Storage: storage.Name},
	}
	if !actor.seesBelow(b.ref(q.Prefix)) {
		return b.page, nil
	}
	// The cursor is valid only for this query.
	bound := fmt.Sprintf("%q", []string{storage.Name, q.Bucket, q.Prefix, q.Search})
	position := ""
	if q.Cursor != "" {
		if position, err = s.cursors.OpenCursor(ctx, bound, q.Cursor); err != nil {
			return ObjectsPage{}, storeError(err)
		}
	}
	if position, err = b.fill(ctx, position); err != nil {
		return ObjectsPage{}, browseError(err)
	}
	if position != "" {
		if b.page.Next, err = s.cursors.SealCursor(ctx, bound, position); err != nil {
			return ObjectsPage{}, storeError(err)
		}
	}
	return b.page, nil
}

// browsable returns the storage with a bucket in which the actor's scope has objects.
// Other buckets get CodeNotFound.
func (s *Service) browsable(actor *Actor, name, bucket string) (*Storage, error) {
	found := s.storagesWith(name, bucket, func(storage *Storage) bool {
		return actor.seesBelow(ObjectRef{Storage: storage.Name, Bucket: bucket})
	})
	switch len(found) {
	case 0:
		return nil, Errorf(CodeNotFound, "there is no such bucket in the scope of this key")
	case 1:
		return found[0], nil
	}
	return nil, severalStorages()
}

// browsing is a page that is being filled.
type browsing struct {
	actor     *Actor
	storage   *Storage
	query     ObjectsQuery
	sensitive []Pattern // the policy's
	page      ObjectsPage
}

// ref returns the object with that key in the bucket.
func (b *browsing) ref(key string) ObjectRef {
	return ObjectRef{Storage: b.storage.Name, Bucket: b.query.Bucket, Key: key}
}

// full reports whether the page has as many entries as the query asks for.
func (b *browsing) full() bool { return len(b.page.Folders)+len(b.page.Objects) >= b.query.Limit }

// fill adds entries from position on until the page is full or the budget is spent. It
// returns the position of the next page, empty at the end. Without a search a position is
// a token of the storage; with a search see takeMatches.
func (b *browsing) fill(ctx context.Context, position string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, browseBudget*b.storage.Timeout)
	defer cancel()
	for range browseBudget {
		var err error
		if b.query.Search == "" {
			position, err = b.takeFolders(ctx, position)
		} else {
			position, err = b.takeMatches(ctx, position)
		}
		if err != nil || position == "" || b.full() {
			return position, err
		}
	}
	return position, nil
}

// add adds an object to the page, and marks it as sensitive if the policy does.
func (b *browsing) add(entry ObjectEntry) {
	entry.Sensitive = matchAny(b.sensitive, b.ref(entry.Key))
	b.page.Objects = append(b.page.Objects, entry)
}

// takeFolders lists as many entries as the page still needs.
func (b *browsing) takeFolders(ctx context.Context, token string) (string, error) {
	missing := b.query.Limit - len(b.page.Folders) - len(b.page.Objects)
	listed, err := b.storage.Objects.List(ctx, KeyQuery{
		Bucket: b.query.Bucket, Prefix: b.query.Prefix, Folders: true, Token: token, Limit: min(missing, maxKeys),
	})
	if err != nil {
		return "", err
	}
	for _, folder := range listed.Folders {
		if b.actor.seesBelow(b.ref(folder)) {
			b.page.Folders = append(b.page.Folders, folder)
		}
	}
	for _, entry := range listed.Objects {
		if b.actor.Sees(b.ref(entry.Key)) {
			b.add(entry)
		}
	}
	return listed.Token, nil
}

// tokenMark begins the position of a search if it is a token of the storage. No listed
// key begins with it, because it is not UTF-8.
const tokenMark = "\xff"

// takeMatches searches the keys of one response. The position is the last key of a full
// page of matches. Otherwise the position is the token of the storage: List omits keys
// that are not UTF-8, so the last key of a response may be missing.
func (b *browsing) takeMatches(ctx context.Context, position string) (string, error) {
	q := KeyQuery{Bucket: b.query.Bucket, Prefix: b.query.Prefix, Limit: maxKeys}
	if token, ok := strings.CutPrefix(position, tokenMark); ok {
		q.Token = token
	} else {
		q.After = position
	}
	listed, err := b.storage.Objects.List(ctx, q)
	if err != nil {
		return "", err
	}
	wanted := folded(b.query.Search)
	for i, entry := range listed.Objects {
		if !b.actor.Sees(b.ref(entry.Key)) {
			continue
		}
		b.page.Searched, b.page.LastKey = b.page.Searched+1, entry.Key
		if !strings.Contains(folded(strings.TrimPrefix(entry.Key, b.query.Prefix)), wanted) {
			continue
		}
		b.add(entry)
		if b.full() && (i+1 < len(listed.Objects) || listed.Token != "") {
			return entry.Key, nil
		}
	}
	if listed.Token == "" {
		return "", nil
	}
	return tokenMark + listed.Token, nil
}

// folded returns the form of text that a search compares: lower case, with composed
// accents. Some systems store é as one character, others as two (Unicode Standard Annex
// 15).
func folded(text string) string { return strings.ToLower(norm.NFC.String(text)) }

// browseError returns the Error for a bucket that cannot be listed.
func browseError(err error) error {
	switch {
	case errors.Is(err, ErrObjectNotFound):
		return invalidBecause(err, "bucket", "bucket_not_found", "the storage has no such bucket")
	case errors.Is(err, ErrObjectNotReadable):
		return invalidBecause(err, "bucket", "bucket_not_listable",
			"the service's credentials may not list this bucket; allow s3:ListBucket on it")
	}
	return &Error{Code: CodeUnavailable, Message: storageAway, Err: err}
}

// KeyQuery selects a page of a bucket's keys.
type KeyQuery struct {
	Bucket  string
	Prefix  string
	Folders bool   // return keys with a slash after the prefix as one folder
	Token   string // KeyPage.Token of the page before
	After   string // instead of Token: keys that sort after this one
	Limit   int    // 1 to 1000
}

// KeyPage is one page of a bucket's keys, in the order of their bytes.
type KeyPage struct {
	Folders []string
	Objects []ObjectEntry
	Token   string // of the next page; empty: this is the last page
}

// ObjectEntry is an object in a listing.
type ObjectEntry struct {
	Key          string
	Size         int64 // bytes, or UnknownSize
	ETag         string
	LastModified time.Time // zero: not reported
	StorageClass string    // the storage's name for it, such as GLACIER; often empty
	Sensitive    bool      // the policy marks the object as sensitive
}
