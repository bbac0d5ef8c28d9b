package demo

import (
	"fmt"
	"os"
	"path/filepath"
	"time"

	"keyhole/cmd/keyhole/internal/command"
	"keyhole/cmd/keyhole/internal/inprocess"
)

// The demo's private buckets: one for the files of the user, one with samples.
const (
	filesBucket   = "files"
	reportsBucket = "reports"
)

// welcomeKey is the object for which the demo prints a link if no FILE is named.
const welcomeKey = "2026/welcome to keyhole.txt"

// samples returns the objects that are always there. One is sensitive by the default policy,
// so that its effect can be tried.
func samples(now time.Time) []inprocess.Object {
	return []inprocess.Object{
		{Bucket: reportsBucket, Key: welcomeKey, Modified: now, Content: []byte(
			"This file is in a private bucket. You got it through a short link, which the\n" +
				"gateway checked, and a presigned URL, which expires within seconds.\n")},
		{Bucket: reportsBucket, Key: "2026/q3-figures.csv", Modified: now, Content: []byte(
			"month,orders\n2026-07,1204\n2026-08,1391\n2026-09,1377\n")},
		{Bucket: reportsBucket, Key: "invoices/2026-0815.txt", Modified: now, Content: []byte(
			"Invoice 2026-0815: sensitive by the default policy.\n")},
		{Bucket: filesBucket, Key: "readme.txt", Modified: now, Content: []byte(
			"This bucket contains the files that were named on the command line.\n")},
	}
}

// objectsOf returns the samples and the named files, and the keys that are to be
// shared: the named files, or the welcome file if no file was named.
func objectsOf(files []string) (objects, shared []inprocess.Object, err error) {
	objects = samples(time.Now())
	if len(files) == 0 {
		return objects, objects[:1], nil
	}
	// Files lose their directory: the key is what recipients see as the name.
	seen := map[string]bool{}
	for _, path := range files {
		info, err := os.Stat(path)
		var content []byte
		if err == nil {
			content, err = os.ReadFile(path) //nolint:gosec // the file that the user named
		}
		if err != nil {
			return nil, nil, command.Usage(fmt.Sprintf("cannot read a file: %v", err),
				"name existing files, or omit them: the demo has objects of its own")
		}
		name := filepath.Base(path)
		if seen[name] {
			return nil, nil, command.Usage("two files have the name "+name, "name files with different names")
		}
		seen[name] = true
		shared = append(shared, inprocess.Object{Bucket: filesBucket, Key: name, Content: content, Modified: info.ModTime()})
	}
	return append(objects, shared...), shared, nil
}
