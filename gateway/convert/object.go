package convert

import (
	"keyhole/gateway"
	"keyhole/gateway/api"
)

// Buckets returns buckets as the API shows them, never nil.
func Buckets(buckets []gateway.Bucket) []api.Bucket {
	w := make([]api.Bucket, len(buckets))
	for i, b := range buckets {
		w[i] = api.Bucket{Storage: b.Storage, Bucket: b.Name}
	}
	return w
}

// ObjectEntry returns an object of a listing as the API shows it.
func ObjectEntry(o *gateway.ObjectEntry) api.ObjectEntry {
	return api.ObjectEntry{
		Key: o.Key, Size: sizeOrNil(o.Size), ETag: o.ETag, LastModified: timeOrNil(o.LastModified),
		StorageClass: o.StorageClass, Sensitive: o.Sensitive,
	}
}

// ObjectPage returns a page of a bucket's objects as the API shows it. bucket is that of the
// query: the page names only the storage that was found for it.
func ObjectPage(bucket string, page *gateway.ObjectsPage) api.ObjectPage {
	w := api.ObjectPage{
		Storage: page.Storage, Bucket: bucket, Folders: page.Folders,
		Objects: make([]api.ObjectEntry, len(page.Objects)), Next: page.Next,
	}
	if w.Folders == nil {
		w.Folders = []string{}
	}
	for i := range page.Objects {
		w.Objects[i] = ObjectEntry(&page.Objects[i])
	}
	return w
}
