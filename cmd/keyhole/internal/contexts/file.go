package contexts

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"runtime"

	"go.yaml.in/yaml/v3"
)

const (
	// fileMode and directoryMode are the widest modes: the file may contain keys.
	fileMode, directoryMode = 0o600, 0o700
	// maxFile is the largest size of the file in bytes.
	maxFile = 1 << 20
)

// ErrNoDirectory means that the environment names no directory for configurations.
var ErrNoDirectory = errors.New("the environment names no directory for configurations: " +
	"neither HOME nor XDG_CONFIG_HOME is set")

// ModeError means that other users of the machine may read or change the configuration.
type ModeError struct {
	Path string
	Mode fs.FileMode // permissions of the file or directory
	Want fs.FileMode // the widest permissions that are accepted
}

// Error names the path and its permissions.
func (e *ModeError) Error() string {
	return fmt.Sprintf("other users of this machine can read or change %s: its mode is %04o", e.Path, e.Mode)
}

// Path returns the path of the client configuration: keyhole/config.yaml in the directory
// that os.UserConfigDir defines. It reads the variables from getenv, because a command
// gets its environment from its caller. It returns ErrNoDirectory if they name none.
func Path(getenv func(string) string) (string, error) {
	directory := ""
	switch runtime.GOOS {
	case "windows":
		directory = getenv("AppData")
	case "darwin", "ios":
		if home := getenv("HOME"); home != "" {
			directory = filepath.Join(home, "Library", "Application Support")
		}
	default:
		if directory = getenv("XDG_CONFIG_HOME"); directory == "" && getenv("HOME") != "" {
			directory = filepath.Join(getenv("HOME"), ".config")
		}
	}
	// The XDG specification ignores relative directories. They would depend on the working
	// directory of each command.
	if !filepath.IsAbs(directory) {
		return "", ErrNoDirectory
	}
	return filepath.Join(directory, "keyhole", "config.yaml"), nil
}

// Load reads the configuration at path. A file that does not exist is an empty
// configuration. Load returns a ModeError if others may read or change the file. No error
// contains text of the file, which may be a key.
func Load(path string) (*Config, error) {
	file, err := os.Open(path) //nolint:gosec // the user's own configuration
	if errors.Is(err, fs.ErrNotExist) {
		return &Config{}, nil
	}
	if err != nil {
		return nil, err
	}
	defer file.Close()
	// The mode is that of the open file: another file could have replaced the path since.
	if err := checkMode(path, file.Stat, fileMode); err != nil {
		return nil, err
	}
	directory := filepath.Dir(path)
	if err := checkDirectory(directory); err != nil {
		return nil, err
	}
	text, err := io.ReadAll(io.LimitReader(file, maxFile+1))
	if err != nil {
		return nil, err
	}
	if len(text) > maxFile {
		return nil, fmt.Errorf("%s: %w: it is larger than %d bytes", path, ErrInvalid, maxFile)
	}
	c, err := parse(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	for i := range c.Contexts {
		if name := c.Contexts[i].KeyFile; name != "" && !filepath.IsAbs(name) {
			c.Contexts[i].KeyFile = filepath.Join(directory, name)
		}
	}
	return c, nil
}

// checkMode returns a ModeError for a file or directory with wider permissions than widest.
// Windows has no such permissions: there a profile belongs to its user.
func checkMode(path string, stat func() (fs.FileInfo, error), widest fs.FileMode) error {
	info, err := stat()
	if err != nil {
		return err
	}
	if mode := info.Mode().Perm(); runtime.GOOS != "windows" && mode&^widest != 0 {
		return &ModeError{Path: path, Mode: mode, Want: widest}
	}
	return nil
}

// checkDirectory is checkMode for the directory of the configuration, because a user who may
// write the directory can replace the file.
func checkDirectory(directory string) error {
	return checkMode(directory, func() (fs.FileInfo, error) { return os.Stat(directory) }, directoryMode)
}

// yamlLine finds the line in an error of the YAML parser.
var yamlLine = regexp.MustCompile(`line \d+`)

// parse parses and checks a configuration. An error of the YAML parser repeats text of the
// file, so only its line is used.
func parse(text []byte) (*Config, error) {
	c := &Config{}
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	decoder.KnownFields(true)
	err := decoder.Decode(c)
	if errors.Is(err, io.EOF) { // an empty file, or only comments
		return c, nil
	}
	if err != nil {
		where := yamlLine.FindString(err.Error())
		if where == "" {
			where = "the file"
		}
		return nil, fmt.Errorf("%w: %s: a context has name, url, and key or key_file", ErrInvalid, where)
	}
	if !errors.Is(decoder.Decode(new(yaml.Node)), io.EOF) {
		return nil, fmt.Errorf("%w: the file must contain one YAML document", ErrInvalid)
	}
	return c, c.check()
}

// Update changes the configuration at path. It creates the file and its directory if they
// do not exist. A lock keeps concurrent updates apart, so that none is lost, and readers
// get the old or the new file as a whole. If change returns an error, Update returns it
// and writes nothing.
func Update(ctx context.Context, path string, change func(*Config) error) error {
	if err := os.MkdirAll(filepath.Dir(path), directoryMode); err != nil {
		return err
	}
	if err := checkDirectory(filepath.Dir(path)); err != nil {
		return err
	}
	unlock, err := lock(ctx, path+".lock")
	if err != nil {
		return err
	}
	defer unlock()
	c, err := Load(path)
	if err != nil {
		return err
	}
	if err := change(c); err != nil {
		return err
	}
	if err := c.check(); err != nil {
		return err
	}
	text, err := yaml.Marshal(c)
	if err != nil {
		return err
	}
	// Managers of dotfiles make the configuration a symbolic link. Replace its target, not
	// the link.
	if target, err := filepath.EvalSymlinks(path); err == nil {
		path = target
	}
	return write(path, append([]byte(header), text...))
}

// header tells a person who opens the file what it is.
const header = "# Written by keyhole context. The file contains secrets: keep its mode at 0600.\n"

// write replaces a file. After a crash the file has its complete old or new content, because
// the rename follows the sync of the content.
func write(path string, text []byte) (err error) {
	directory := filepath.Dir(path)
	file, err := os.CreateTemp(directory, ".config-*") // with mode 0600
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(file.Name()))
		}
	}()
	_, err = file.Write(text)
	if err == nil {
		err = file.Sync()
	}
	if err = errors.Join(err, file.Close()); err != nil {
		return err
	}
	if err = os.Rename(file.Name(), path); err != nil {
		return err
	}
	// Syncing the directory makes the rename durable. Some file systems cannot sync a
	// directory; the file is complete even so.
	if opened, openErr := os.Open(directory); openErr == nil { //nolint:gosec // the user's own directory
		_ = opened.Sync()
		_ = opened.Close()
	}
	return nil
}
