package gateway

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"golang.org/x/text/unicode/norm"
)

// Bucket is one of the configured buckets.
type Bucket struct {
	Storage string
	Name    string
}

// ObjectsQuery says what of a bucket is looked for.
type ObjectsQuery struct {
	Storage string // needed where several storages have the bucket
	Bucket  string
	Prefix  string // literal bytes that the key begins with
	Search  string // text anywhere behind the prefix, in upper or lower case; empty: browse by folders
	Cursor  string
	Limit   int
}

// ObjectsPage is one page of what a bucket holds, in the order of the keys'
// bytes. Folders, which end in a slash, are there without a search alone.
type ObjectsPage struct {
	Storage string
	Folders []string
	Objects []ObjectEntry
	Next    string // cursor of the next page; empty: there is none
}

// browseBudget is how often one page asks the storage at most, each time for up
// to maxKeys keys: a search through millions of keys comes in many short pages
// instead of one that never ends.
const browseBudget = 5

// maxKeys is the most that S3 lists at once (AWS, "ListObjectsV2").
const maxKeys = 1000

// Buckets returns the configured buckets in which the actor may see something.
func (s *Service) Buckets(actor *Actor) ([]Bucket, error) {
	if err := actor.Allowed(ActionBrowse); err != nil {
		return nil, err
	}
	var seen []Bucket
	for _, storage := range s.storages {
		for _, bucket := range storage.Buckets {
			if actor.seesBelow(ObjectRef{Storage: storage.Name, Bucket: bucket}) {
				seen = append(seen, Bucket{Storage: storage.Name, Name: bucket})
			}
		}
	}
	return seen, nil
}

// Objects returns one page of a bucket's objects in the actor's scope. A page may
// come back short, even empty, with a next one.
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
	b := browsing{actor: actor, storage: storage, query: q, sensitive: s.policy.Load().SensitiveObjects, page: ObjectsPage{Storage: storage.Name}}
	if !actor.seesBelow(b.ref(q.Prefix)) {
		return b.page, nil
	}
	// What a cursor belongs to, so that no two queries share one.
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

// browsable finds the storage with a bucket in which the actor may see something.
// Others do not exist for it.
func (s *Service) browsable(actor *Actor, name, bucket string) (*Storage, error) {
	found := s.storagesWith(name, bucket, func(storage *Storage) bool {
		return actor.seesBelow(ObjectRef{Storage: storage.Name, Bucket: bucket})
	})
	switch len(found) {
	case 0:
		return nil, Errorf(CodeNotFound, "there is no such bucket, or none that this key may see")
	case 1:
		return found[0], nil
	}
	return nil, severalStorages()
}

// browsing is one page in the making.
type browsing struct {
	actor     *Actor
	storage   *Storage
	query     ObjectsQuery
	sensitive []Pattern // the policy's
	page      ObjectsPage
}

// ref is the object of that key in the bucket.
func (b *browsing) ref(key string) ObjectRef {
	return ObjectRef{Storage: b.storage.Name, Bucket: b.query.Bucket, Key: key}
}

// full tells whether the page has as many entries as were asked for.
func (b *browsing) full() bool { return len(b.page.Folders)+len(b.page.Objects) >= b.query.Limit }

// fill takes entries from position on until the page is full or the budget is
// spent. It returns the position to go on from, empty at the end: of folders the
// storage's token, of a search see takeMatches.
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

// add puts an object on the page, with what the policy in force holds of it.
func (b *browsing) add(entry ObjectEntry) {
	entry.Sensitive = matchAny(b.sensitive, b.ref(entry.Key))
	b.page.Objects = append(b.page.Objects, entry)
}

// takeFolders asks for as many entries as are missing.
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

// tokenMark begins the position of a search that is a storage's token. No key that a
// listing returns begins with it, because it is not UTF-8.
const tokenMark = "\xff"

// takeMatches looks through as many keys as S3 lists at once. The position is the last
// key of a full page of matches, or else the storage's token: a page may end in keys
// that are not UTF-8, or hold no others, and listings leave those out.
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
		rest := folded(strings.TrimPrefix(entry.Key, b.query.Prefix))
		if !strings.Contains(rest, wanted) || !b.actor.Sees(b.ref(entry.Key)) {
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

// folded writes text so that a search finds it in upper and lower case, and with
// its accents composed or not: some systems store é as one character, others as
// two (Unicode Standard Annex 15).
func folded(text string) string { return strings.ToLower(norm.NFC.String(text)) }

// browseError says why a bucket cannot be listed.
func browseError(err error) error {
	switch {
	case errors.Is(err, ErrObjectNotFound):
		return invalidBecause(err, "bucket", "bucket_not_found", "the storage has no such bucket")
	case errors.Is(err, ErrObjectNotReadable):
		return invalidBecause(err, "bucket", "bucket_not_listable", "the service's credentials may not list that bucket; allow them s3:ListBucket on it")
	}
	return &Error{Code: CodeUnavailable, Message: storageAway, Err: err}
}

// KeyQuery asks for a page of a bucket's keys.
type KeyQuery struct {
	Bucket  string
	Prefix  string
	Folders bool   // fold what lies behind the next slash into one folder
	Token   string // KeyPage.Token of the page before
	After   string // in its place: keys that sort behind this one
	Limit   int    // 1 to 1000
}

// KeyPage is one page of a bucket's keys, in the order of their bytes.
type KeyPage struct {
	Folders []string
	Objects []ObjectEntry
	Token   string // where the next page begins; empty: there is none
}

// ObjectEntry is what a listing tells of an object.
type ObjectEntry struct {
	Key          string
	Size         int64 // bytes, or UnknownSize
	ETag         string
	LastModified time.Time // zero: the storage does not say
	StorageClass string    // as the storage names it, such as GLACIER; often empty
	Sensitive    bool      // the policy holds it sensitive, whatever who shares it says
}
