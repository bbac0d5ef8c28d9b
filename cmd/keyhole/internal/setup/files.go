package setup

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

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

// temporary is the pattern for the names of files that are not complete.
const temporary = ".init-*"

// files returns the names of all files, the configuration last: it makes the rest count.
func files() []string { return []string{keyFile, secretFile, configFile} }

// write writes all files or none.
func (a *answers) write() error {
	a.made = missingDirectories(a.directory)
	if err := os.MkdirAll(a.directory, 0o700); err != nil {
		return errors.Join(unwritable(a.directory, err), a.undo(nil))
	}
	// Every file is created, never opened, so one that appears meanwhile stops the command.
	content := map[string]string{keyFile: a.key + "\n", secretFile: a.secret + "\n", configFile: a.config()}
	for i, name := range files() {
		if err := create(filepath.Join(a.directory, name), content[name]); err != nil {
			return errors.Join(unwritable(a.directory, err), a.undo(files()[:i]))
		}
	}
	if _, _, err := config.Load(config.LoadOptions{Path: filepath.Join(a.directory, configFile)}); err != nil {
		return errors.Join(a.refusal(err), a.undo(files()))
	}
	return nil
}

// unwritable returns the error for a directory in which a file cannot be created. It wraps
// the reason, because a file that appeared meanwhile is a special case for callers.
func unwritable(directory string, err error) error {
	hint := "choose another --directory"
	switch {
	case errors.Is(err, fs.ErrExist):
		hint += ", or move the file away"
	case errors.Is(err, fs.ErrPermission):
		hint += ", or run the command as a user who may write there"
	case errors.Is(err, syscall.ENOSPC):
		hint += ", or make space on its disk"
	}
	reason := err
	if path, ok := errors.AsType[*fs.PathError](err); ok {
		reason = path.Err // The path may be that of a temporary file.
	}
	return &command.Error{
		Err:  fmt.Errorf("cannot write to %s: %w; nothing was written", directory, reason),
		Hint: hint, Code: command.ExitFailed,
	}
}

// checkWritable refuses a directory that cannot be written or made. It leaves nothing behind.
func checkWritable(directory string) error {
	existing := directory
	if absent := missingDirectories(directory); len(absent) > 0 {
		existing = filepath.Dir(absent[len(absent)-1])
	}
	file, err := os.CreateTemp(existing, temporary)
	if err != nil {
		return unwritable(directory, err)
	}
	return errors.Join(file.Close(), os.Remove(file.Name()))
}

// missingDirectories returns the directory and those above it that do not exist, the deepest first.
func missingDirectories(directory string) (absent []string) {
	for {
		if _, err := os.Lstat(directory); !errors.Is(err, fs.ErrNotExist) {
			return absent
		}
		absent = append(absent, directory)
		directory = filepath.Dir(directory)
	}
}

// create writes a file of mode 0600. It is complete when it appears, and replaces nothing.
func create(path, text string) (err error) {
	file, err := os.CreateTemp(filepath.Dir(path), temporary) // with mode 0600
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

// undo removes files that were just written, and the directories that were made for them.
// With other files in it, a directory stays.
func (a *answers) undo(names []string) (failed error) {
	for _, name := range names {
		failed = errors.Join(failed, os.Remove(filepath.Join(a.directory, name)))
	}
	for _, directory := range a.made {
		_ = os.Remove(directory)
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
%soperator:
  # The listener is 127.0.0.1:8081, for this machine only.
  keys:
    - name: %q
      sha256: %q # of the key in operator.key
      can: [issue, read, revoke, browse]
redis:
`, a.publicURL, a.listenLine(), a.keyName, operatorkey.Hash(a.key))
	if a.local {
		fmt.Fprintf(&b, "  mode: local # the service starts its own redis-server\n  directory: %q\n", a.redisDirectory())
	} else {
		b.WriteString("  mode: single # for sentinel and cluster see the manual\n  addresses: [\"127.0.0.1:6379\"]\n")
	}
	b.WriteString("storage:\n  - name: main\n")
	if a.endpoint != "" {
		fmt.Fprintf(&b, "    endpoint: %q\n", a.endpoint)
	}
	switch {
	case a.pathStyle:
		b.WriteString("    path_style: true # the bucket is in the path, because it cannot be a part of this host\n")
	case a.endpoint != "":
		b.WriteString("    # path_style: true # if the server has no host name for each bucket\n")
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

// listenLine returns the line of public.listen, or "" if the default is right.
func (a *answers) listenLine() string {
	if a.listen() == "" {
		return ""
	}
	return fmt.Sprintf("  listen: %q\n", a.listen())
}
