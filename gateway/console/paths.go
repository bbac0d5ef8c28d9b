package console

import (
	"strings"

	"keyhole/gateway"
)

// pathScheme begins a path as the lists show it: s3://bucket/key.
const pathScheme = "s3://"

// pathOf returns the path of an object or a folder.
func pathOf(bucket, key string) string { return pathScheme + bucket + "/" + key }

// words returns the filters with their labels in the list, for a page that has no form.
func (f *linkFilter) words() [][2]string {
	path := f.Prefix
	if f.Bucket != "" {
		path = pathOf(f.Bucket, f.Prefix)
	}
	if f.Key != "" {
		path = "" // a whole object is shown instead
	}
	object := f.Key
	if f.Key != "" && f.Bucket != "" {
		object = pathOf(f.Bucket, f.Key)
	}
	var set [][2]string
	for _, filter := range [][2]string{
		{"Object", object},
		{"Folder or path", path},
		{"State", f.State},
		{"Created by", f.CreatedBy},
		{"Label", f.Label},
		{"Downloaded", f.Used},
		{"Created since", f.Since},
		{"Ends within", f.EndsWithin},
		{"Ends after", f.EndsAfter},
	} {
		if filter[1] != "" {
			set = append(set, filter)
		}
	}
	return set
}

// splitPath reads a path that a person has copied from a list into the filter prefix or key.
// It returns the bucket and the path in the bucket. It returns both texts unchanged if the
// path has no scheme, or if refusedPath refuses it.
func splitPath(bucket, path string) (newBucket, newPath string) {
	rest, ok := strings.CutPrefix(strings.TrimSpace(path), pathScheme)
	if !ok {
		return bucket, path
	}
	named, inside, _ := strings.Cut(rest, "/")
	if named == "" || strings.Contains(named, ":") || bucket != "" && bucket != named {
		return bucket, path
	}
	return named, inside
}

// splitKey is splitPath for the path of one object. A path without a key stays unchanged,
// because it would select the whole bucket.
func splitKey(bucket, path string) (newBucket, newKey string) {
	if newBucket, newKey = splitPath(bucket, path); newKey == "" {
		return bucket, path
	}
	return newBucket, newKey
}

// refusedPath returns why a filter is refused whose path splitPath could not read. A guess
// would hide live links from an operator who wants to stop them.
func refusedPath(field, bucket, path string) []gateway.FieldError {
	rest, ok := strings.CutPrefix(strings.TrimSpace(path), pathScheme)
	if !ok {
		return nil
	}
	message := "write a path as in s3://reports/2026/q3.pdf, with the bucket and without the storage"
	if named, _, _ := strings.Cut(rest, "/"); named != "" && bucket != "" && bucket != named {
		message = "the path is in the bucket " + named + ", and the filter Bucket has " + bucket + "; clear one of them"
	}
	return []gateway.FieldError{{Field: field, Code: "conflict", Message: message}}
}
