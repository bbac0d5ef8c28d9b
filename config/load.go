package config

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
	"syscall"
)

// The sizes in bytes of the largest files that are read. Without a limit, a path to a
// device or a log would fill the memory.
const (
	maxFile   = 1 << 20
	maxSecret = 64 << 10
)

// LoadOptions names the sources of a configuration.
type LoadOptions struct {
	// Path is the YAML file; "" means none.
	Path string
	// Environ is the environment in the form of os.Environ. Only variables that begin with
	// KEYHOLE_ are read.
	Environ []string
	// Overrides are the values of flags, by paths such as redis.timeout or
	// storage.main.endpoint, written as in a variable. They override variables.
	Overrides map[string]string
}

// Load reads and checks the configuration: the defaults, then the file, then variables,
// then overrides; the later source wins. The error is a Problems value that contains all
// problems. If the file cannot be read or is not YAML, that is the only problem. Load
// returns warnings even with an error, and prints nothing.
func Load(o LoadOptions) (*Config, []Warning, error) {
	return load(o, readFile)
}

// Prepare checks a configuration that was made in code and completes it like Load. It
// shortens caps and presets to policy.max_expiry, brings URLs into normal form and sets
// defaults that depend on other keys. It reads no files, so set secrets by value. The
// error is a Problems value.
func (c *Config) Prepare() ([]Warning, error) {
	c.normalise(func(string) bool { return false })
	problems, warnings := c.validate()
	if len(problems) > 0 {
		problems.sort()
		return warnings, problems
	}
	return warnings, nil
}

// fileReader reads a whole file of at most limit bytes.
type fileReader func(path string, limit int64) ([]byte, fs.FileMode, error)

// load is Load with a replaceable way to read files.
func load(o LoadOptions, read fileReader) (*Config, []Warning, error) {
	c, f := Default(), newFindings()
	if o.Path != "" {
		data, _, err := read(o.Path, maxFile)
		if err != nil {
			return nil, nil, Problems{{Message: fmt.Sprintf("%s cannot be read: %s", o.Path, reason(err))}}
		}
		if p := f.decode(data, c); p != nil {
			return nil, nil, Problems{*p}
		}
	}
	all := index(c)
	f.environment(c, all, o.Environ)
	f.overrides(all, o.Overrides)
	warnings := f.files(c, all, read)
	c.normalise(f.stated)
	found, more := c.validate()
	warnings = append(warnings, more...)
	slices.SortStableFunc(warnings, func(a, b Warning) int { return strings.Compare(a.Path, b.Path) })
	if problems := f.merge(found); len(problems) > 0 {
		return nil, warnings, problems
	}
	return c, warnings, nil
}

// readFile is the fileReader of the real file system.
func readFile(path string, limit int64) ([]byte, fs.FileMode, error) {
	// Without O_NONBLOCK, opening a pipe would wait until somebody writes to it.
	//nolint:gosec // the operator's own configuration names the file
	file, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, 0, err
	}
	defer func() { _ = file.Close() }()
	info, err := file.Stat()
	if err != nil {
		return nil, 0, err
	}
	data, err := io.ReadAll(io.LimitReader(file, limit+1))
	if err != nil {
		return nil, 0, err
	}
	if int64(len(data)) > limit {
		return nil, 0, &fs.PathError{Op: "read", Path: path, Err: fmt.Errorf("it is larger than %d KiB", limit>>10)}
	}
	return data, info.Mode(), nil
}

// ReadSecretFile returns the whole content of a secret's file, or an error if the file is
// larger than Load accepts. The caller removes white space. It is for secrets that are read
// again after Load, because a file can change, or grow without end, while a service runs.
func ReadSecretFile(path string) (string, error) {
	data, _, err := readFile(path, maxSecret)
	return string(data), err
}

// reason returns the text of an error without the path, which the message already has.
func reason(err error) string {
	if pe, ok := errors.AsType[*fs.PathError](err); ok {
		return pe.Err.Error()
	}
	return err.Error()
}
