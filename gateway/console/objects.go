package console

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/labstack/echo/v4"

	"keyhole/gateway"
	"keyhole/gateway/convert"
)

// objectsLimit is the number of entries on one page of objects.
const objectsLimit = 100

// objectsView is the view of objects.html.
type objectsView struct {
	Buckets []bucketRow // without a bucket: all that the operator may browse
	Storage string
	Bucket  string
	Prefix  string
	Search  string
	Path    string      // of the folder as s3://bucket/prefix, for the field that jumps
	Crumbs  []crumb     // the folders from the bucket to this one
	Folders []folderRow // only without a search
	Objects []objectRow
	Next    string // the address of the next page; empty: this is the last page
	First   string // the address of the first page, if this is not it
	// Searched is the number of objects that the search has compared on all its pages so far,
	// and LastPath the path of the last one; empty: none on this page.
	Searched int
	LastPath string
	Steps    []crumb // what to do after a search without a hit
	Refused  string  // why nothing can be listed
	Share    bool    // the operator may share
	Links    string  // the address of the live links of this folder; empty: the operator may not read links
}

// bucketRow is a bucket in the overview.
type bucketRow struct {
	Storage, Name, Path string
}

// crumb is a part of the path above a list.
type crumb struct {
	Name, Path string
}

// folderRow is a folder in a list.
type folderRow struct {
	Name, Path string
}

// objectRow is an object in a list.
type objectRow struct {
	Key       string
	Name      string // the key without the folder
	Folder    string // of a search hit: the path of its folder
	Size      int64
	Modified  moment
	Class     string // the storage class; empty: the usual one
	Sensitive bool
	Blocked   string // why the object cannot be shared; empty: it can
	Live      gateway.LiveCount
	SharePath string
	LinksPath string
}

// listObjects answers GET /console/objects.
func (c *Console) listObjects(ctx echo.Context) error {
	r := ctx.Request()
	query := r.URL.Query()
	if jump := strings.TrimSpace(query.Get("path")); jump != "" {
		return c.jump(ctx, jump)
	}
	q := gateway.ObjectsQuery{
		Storage: query.Get("storage"), Bucket: query.Get("bucket"), Prefix: query.Get("prefix"),
		Search: strings.TrimSpace(query.Get("search")), Cursor: query.Get("cursor"), Limit: objectsLimit,
	}
	view := objectsView{
		Storage: q.Storage, Bucket: q.Bucket, Prefix: q.Prefix, Search: q.Search, Path: pathScheme,
		Share: may(actorOf(ctx), gateway.ActionIssue),
	}
	if q.Cursor != "" {
		view.Searched = parseCount(query.Get(searchedField))
	}
	title := "Objects"
	if q.Bucket == "" {
		buckets, err := c.o.Service.Buckets(actorOf(ctx))
		if err != nil {
			return err
		}
		for _, b := range buckets {
			view.Buckets = append(view.Buckets, bucketRow{b.Storage, b.Name, folderPath(b.Storage, b.Name, "")})
		}
		return c.render(ctx, http.StatusOK, "objects", document{Title: title, Section: sectionObjects, View: view})
	}
	view.Path += q.Bucket + "/" + q.Prefix
	view.Crumbs = crumbs(q.Storage, q.Bucket, q.Prefix)
	if may(actorOf(ctx), gateway.ActionRead) {
		view.Links = linksPath(linkFilter{Bucket: q.Bucket, Prefix: q.Prefix}, "")
	}
	status, err := c.fillObjects(r.Context(), actorOf(ctx), q, &view)
	if err != nil {
		return err
	}
	return c.render(ctx, status, "objects", document{Title: view.Path, Section: sectionObjects, View: view})
}

// fillObjects fills the view with one page of objects. A refusal that the operator can
// mend, such as a bucket that cannot be listed, becomes a part of the page.
func (c *Console) fillObjects(
	ctx context.Context, actor *gateway.Actor, q gateway.ObjectsQuery, view *objectsView,
) (status int, err error) {
	page, err := c.o.Service.Objects(ctx, actor, q)
	if err != nil {
		refused, ok := asRefusal(err)
		if !ok {
			return 0, err
		}
		// The page keeps its path and search, so that the operator can correct them.
		view.Refused = refused.Message
		for _, field := range refused.Fields {
			view.Refused = field.Message
		}
		return convert.Status(refused.Code), nil
	}
	view.Storage = page.Storage
	for _, folder := range page.Folders {
		name := strings.TrimPrefix(folder, q.Prefix)
		view.Folders = append(view.Folders, folderRow{name, folderPath(page.Storage, q.Bucket, folder)})
	}
	keys := make([]string, len(page.Objects))
	for i := range page.Objects {
		keys[i] = page.Objects[i].Key
	}
	live := c.liveLinks(ctx, actor, page.Storage, q.Bucket, keys)
	now := c.o.Now()
	for i := range page.Objects {
		o := &page.Objects[i]
		row := objectRow{
			Key: o.Key, Name: strings.TrimPrefix(o.Key, q.Prefix), Size: o.Size, Modified: newMoment(o.LastModified, now),
			Class: storageClass(o.StorageClass), Sensitive: o.Sensitive, Blocked: blocked(o.StorageClass), Live: live[o.Key],
			SharePath: base + "/share?" + objectQuery(page.Storage, q.Bucket, o.Key).Encode(),
			LinksPath: linksPath(linkFilter{Bucket: q.Bucket, Key: o.Key}, ""),
		}
		if folder := folderOf(o.Key); q.Search != "" && folder != "" {
			row.Folder = folderPath(page.Storage, q.Bucket, folder)
		}
		view.Objects = append(view.Objects, row)
	}
	if page.Next != "" {
		view.Next = searchPath(q, page.Next)
	}
	if q.Cursor != "" {
		view.First = searchPath(q, "")
	}
	if q.Search != "" {
		view.addProgress(q, &page)
	}
	return http.StatusOK, nil
}

// searchedField is the parameter that carries the number of compared objects to the next page
// of a search. The number is only shown, so a forged one does no harm.
const searchedField = "searched"

// addProgress fills in how far a search has come, and what to do if it has no hit.
func (v *objectsView) addProgress(q gateway.ObjectsQuery, page *gateway.ObjectsPage) {
	v.Searched += page.Searched
	if page.LastKey != "" {
		v.LastPath = pathOf(q.Bucket, page.LastKey)
	}
	if v.Next != "" {
		v.Next += "&" + searchedField + "=" + strconv.Itoa(v.Searched)
	}
	if q.Prefix != "" {
		whole := gateway.ObjectsQuery{Storage: page.Storage, Bucket: q.Bucket, Search: q.Search}
		v.Steps = append(v.Steps, crumb{"Search all of this bucket", searchPath(whole, "")})
	}
	if begins := q.Prefix + q.Search; v.Next != "" {
		// The storage finds the beginning of a path at once, however many objects there are.
		// After a complete search, this list would be empty too.
		v.Steps = append(v.Steps, crumb{
			"Show what begins with " + pathOf(q.Bucket, begins), folderPath(page.Storage, q.Bucket, begins),
		})
	}
	v.Steps = append(v.Steps, crumb{"Show all of this " + v.Place(), folderPath(page.Storage, q.Bucket, q.Prefix)},
		crumb{"Choose another bucket", base + "/objects"})
}

// Place returns what the list shows: a folder, or the whole bucket.
func (v objectsView) Place() string {
	if v.Prefix != "" {
		return "folder"
	}
	return "bucket"
}

// jump goes to the folder or object of a typed path, s3://bucket/key.
func (c *Console) jump(ctx echo.Context, path string) error {
	bucket, key, _ := strings.Cut(strings.TrimPrefix(path, pathScheme), "/")
	storage := ""
	if name, rest, found := strings.Cut(bucket, ":"); found { // as in patterns: storage:bucket
		storage, bucket = name, rest
	}
	// The list shows what begins with the path, so it finds a folder, a whole key, and
	// the beginning of a key.
	return ctx.Redirect(http.StatusSeeOther, folderPath(storage, bucket, key))
}

// crumbs returns the folders from the bucket to a prefix.
func crumbs(storage, bucket, prefix string) []crumb {
	parts := []crumb{{bucket, folderPath(storage, bucket, "")}}
	for end := range len(prefix) {
		if prefix[end] == '/' {
			name := prefix[:end+1]
			if i := strings.LastIndexByte(prefix[:end], '/'); i >= 0 {
				name = prefix[i+1 : end+1]
			}
			parts = append(parts, crumb{name, folderPath(storage, bucket, prefix[:end+1])})
		}
	}
	return parts
}

// folderPath returns the address of the list of a folder.
func folderPath(storage, bucket, prefix string) string {
	query := url.Values{"bucket": {bucket}}
	if storage != "" {
		query.Set("storage", storage)
	}
	if prefix != "" {
		query.Set("prefix", prefix)
	}
	return base + "/objects?" + query.Encode()
}

// searchPath returns the address of a page of the same list.
func searchPath(q gateway.ObjectsQuery, cursor string) string {
	path := folderPath(q.Storage, q.Bucket, q.Prefix)
	if q.Search != "" {
		path += "&search=" + url.QueryEscape(q.Search)
	}
	if cursor != "" {
		path += "&cursor=" + url.QueryEscape(cursor)
	}
	return path
}

// objectQuery returns the query that names an object.
func objectQuery(storage, bucket, key string) url.Values {
	return url.Values{"storage": {storage}, "bucket": {bucket}, "key": {key}}
}

// storageClass returns the class to show; the usual one is not worth a word.
func storageClass(class string) string {
	if strings.EqualFold(class, "STANDARD") {
		return ""
	}
	return class
}

// blocked returns why an object of a storage class cannot be shared now, or "". Its bytes
// have to be restored first (AWS, "Amazon S3 storage classes").
func blocked(class string) string {
	if slices.Contains([]string{"GLACIER", "DEEP_ARCHIVE"}, strings.ToUpper(class)) {
		return "archived: restore it first"
	}
	return ""
}

// folderOf returns the folder of a key with its slash, or "" for a key without one.
func folderOf(key string) string { return key[:strings.LastIndexByte(key, '/')+1] }

// liveLinks returns the numbers of live links of the objects; nil: the operator may not know
// them, or Redis did not answer. A list of objects is useful without them.
func (c *Console) liveLinks(
	ctx context.Context, actor *gateway.Actor, storage, bucket string, keys []string,
) map[string]gateway.LiveCount {
	if !may(actor, gateway.ActionRead) {
		return nil
	}
	counts, err := c.o.Service.LiveLinks(ctx, actor, storage, bucket, keys)
	if err != nil {
		c.o.Logger.Warn("live links were not counted", "error", err)
		return nil
	}
	return counts
}
