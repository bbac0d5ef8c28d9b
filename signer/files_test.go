package signer

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	smithyauth "github.com/aws/smithy-go/auth"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// TestFilesChanged changes one of two files in every way that a file can change. The
// file before it is absent throughout.
func TestFilesChanged(t *testing.T) {
	old := time.Now().Add(-time.Hour)
	for name, tt := range map[string]struct {
		change func(file string) error
		want   bool
	}{
		"nothing": {func(string) error { return nil }, false},
		"longer, of the same time": {func(file string) error {
			return errors.Join(os.WriteFile(file, []byte("longer"), 0o600), os.Chtimes(file, old, old))
		}, true},
		"another file, of the same time and length": {func(file string) error {
			other := file + ".new"
			written := errors.Join(os.WriteFile(other, []byte("y"), 0o600), os.Chtimes(other, old, old))
			return errors.Join(written, os.Rename(other, file))
		}, true},
		"the same length, later": {func(file string) error {
			return os.Chtimes(file, old, old.Add(time.Second))
		}, true},
		"removed": {os.Remove, true},
	} {
		directory := t.TempDir()
		file := filepath.Join(directory, "secret")
		if err := errors.Join(os.WriteFile(file, []byte("x"), 0o600), os.Chtimes(file, old, old)); err != nil {
			t.Fatal(err)
		}
		files := []string{filepath.Join(directory, "absent"), file}
		before := cached{files: statFiles(files)}
		if err := tt.change(file); err != nil {
			t.Fatal(err)
		}
		if got := before.filesChanged(files); got != tt.want {
			t.Errorf("%s: changed %v", name, got)
		}
	}
}

// TestRecentlyChangedFile checks a file that has just changed: another change could have
// the same time, so the file counts as changed. The check is repeated if this machine was
// too slow.
func TestRecentlyChangedFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "secret")
	for range 1000 {
		if err := os.WriteFile(file, []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
		before := cached{files: statFiles([]string{file})}
		if before.filesChanged([]string{file}) {
			return
		}
	}
	t.Error("a file that has just changed counts as unchanged")
}

// TestPlainRegionRefuses refuses every answer of the endpoint rules that names another
// signature than one plain SigV4 signature for S3.
func TestPlainRegionRefuses(t *testing.T) {
	option := func(scheme, name, region string) *smithyauth.Option {
		o := &smithyauth.Option{SchemeID: scheme}
		smithyhttp.SetSigV4SigningName(&o.SignerProperties, name)
		smithyhttp.SetSigV4SigningRegion(&o.SignerProperties, region)
		return o
	}
	good := option(smithyauth.SchemeIDSigV4, "s3", "eu-west-1")
	for name, tt := range map[string]struct {
		options []*smithyauth.Option
		ok      bool
		want    string
	}{
		"one":               {[]*smithyauth.Option{good}, true, "eu-west-1"},
		"its short name":    {[]*smithyauth.Option{option("sigv4", "s3", "eu-west-1")}, true, "eu-west-1"},
		"none":              {nil, true, ""},
		"not said":          {[]*smithyauth.Option{good}, false, ""},
		"two":               {[]*smithyauth.Option{good, good}, true, ""},
		"another service":   {[]*smithyauth.Option{option("sigv4", "s3express", "eu-west-1")}, true, ""},
		"another signature": {[]*smithyauth.Option{option("sigv4a", "s3", "eu-west-1")}, true, ""},
		"no region":         {[]*smithyauth.Option{option("sigv4", "s3", "")}, true, ""},
	} {
		region, err := plainRegion(tt.options, tt.ok)
		if region != tt.want || (err == nil) != (tt.want != "") {
			t.Errorf("%s: %q, %v; want %q", name, region, err, tt.want)
		}
	}
}
