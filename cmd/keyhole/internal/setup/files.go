package setup

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"keyhole/cmd/keyhole/internal/command"
	"keyhole/cmd/keyhole/internal/operatorkey"
	"keyhole/config"
)

// The files in the directory. The secrets have files of their own, so that keyhole.yaml can
// be shown to others and kept in a repository.
const (
	configFile = "keyhole.yaml"
	keyFile    = "operator.key"
	secretFile = "s3_secret_access_key"
)

// files returns the names of all files, the configuration last: it makes the rest count.
func files() []string { return []string{keyFile, secretFile, configFile} }

// write writes all files or none.
func (a *answers) write() error {
	a.made = os.Mkdir(a.directory, 0o700) == nil
	if err := os.MkdirAll(a.directory, 0o700); err != nil {
		return errors.Join(err, a.undo(nil))
	}
	// Every file is created, never opened, so one that appears meanwhile stops the command.
	content := map[string]string{keyFile: a.key + "\n", secretFile: a.secret + "\n", configFile: a.config()}
	for i, name := range files() {
		if err := create(filepath.Join(a.directory, name), content[name]); err != nil {
			return errors.Join(err, a.undo(files()[:i]))
		}
	}
	_, _, err := config.Load(config.LoadOptions{Path: filepath.Join(a.directory, configFile)})
	if err == nil {
		return nil
	}
	// Only flags and credentials can be wrong.
	return errors.Join(command.Usage("the service would refuse this configuration; nothing was written\n"+err.Error(),
		"correct the flag or the credential of the named key"), a.undo(files()))
}

// create writes a file of mode 0600. It is complete when it appears, and replaces nothing.
func create(path, text string) (err error) {
	file, err := os.CreateTemp(filepath.Dir(path), ".init-*") // with mode 0600
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.Remove(file.Name())) }()
	_, err = file.WriteString(text)
	if err == nil {
		err = file.Sync()
	}
	if err = errors.Join(err, file.Close()); err != nil {
		return err
	}
	// A rename would replace a file; a link fails if there is one (link(2)).
	return os.Link(file.Name(), path)
}

// undo removes files that were just written, and the directory if it was made for them.
// With other files in it, the directory stays.
func (a *answers) undo(names []string) (failed error) {
	for _, name := range names {
		failed = errors.Join(failed, os.Remove(filepath.Join(a.directory, name)))
	}
	if a.made {
		_ = os.Remove(a.directory)
	}
	return failed
}

// config returns the text of keyhole.yaml. The escapes of Go's quoted texts are also YAML's.
func (a *answers) config() string {
	var b strings.Builder
	fmt.Fprintf(&b, `# Written by keyhole init. The manual explains every key in run/configuration.md; after a
# change, check the file with: keyhole serve --check --config keyhole.yaml
public:
  url: %q # the beginning of every link; https in production
operator:
  # The listener is 127.0.0.1:8081, for this machine only.
  keys:
    - name: %q
      sha256: %q # of the key in operator.key
      can: [issue, read, revoke, browse]
redis:
`, a.publicURL, a.keyName, operatorkey.Hash(a.key))
	if a.local {
		fmt.Fprintf(&b, "  mode: local # the service starts its own redis-server\n  directory: %q\n", a.redisDirectory())
	} else {
		b.WriteString("  addresses: [\"127.0.0.1:6379\"]\n")
	}
	b.WriteString("storage:\n  - name: main\n")
	if a.endpoint != "" {
		fmt.Fprintf(&b, "    endpoint: %q\n", a.endpoint)
	}
	if a.pathStyle {
		b.WriteString("    path_style: true # a bucket cannot be a part of an IP address\n")
	}
	quoted := make([]string, len(a.buckets))
	for i, bucket := range a.buckets {
		quoted[i] = strconv.Quote(bucket)
	}
	fmt.Fprintf(&b, `    region: %q
    buckets: [%s]
    access_key_id: %q
    secret_access_key_file: %q
pages:
  sender: none # better: organization, and the name of yours in the key organization
`, a.region, strings.Join(quoted, ", "), a.accessKey, filepath.Join(a.directory, secretFile))
	return b.String()
}
