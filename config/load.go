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

// Bounds of what is read, so that a path to a device or a log does not fill the
// memory.
const (
	maxFile   = 1 << 20
	maxSecret = 64 << 10
)

// LoadOptions say what a configuration is made of.
type LoadOptions struct {
	// Path of the YAML file; "" reads none.
	Path string
	// Environ is the environment in the form of os.Environ. Of it only variables that begin with KEYHOLE_ are looked at.
	Environ []string
	// Overrides are what flags say: paths such as redis.timeout or storage.main.endpoint, with values written as in a variable. They count more than variables.
	Overrides map[string]string
}

// Load reads and checks the configuration: defaults, over them the file, over
// it the variables, over those the overrides. The error is Problems, all of
// them at once, unless the file cannot be read or is no YAML: then that is the
// only one. Warnings come with and without an error; nothing is printed.
func Load(o LoadOptions) (*Config, []Warning, error) {
	return load(o, readFile)
}

// Prepare brings a configuration that was made in code into its final form and
// checks it, as Load does for one that was read: presets are shortened to
// policy.max_expiry, URLs brought into normal form, defaults that depend on
// other keys filled in. It reads no file: give secrets by their value. The
// error is Problems.
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
	f.environment(c, o.Environ)
	f.overrides(c, o.Overrides)
	warnings := f.files(c, read)
	c.normalise(f.stated)
	found, more := c.validate()
	warnings = append(warnings, more...)
	slices.SortStableFunc(warnings, func(a, b Warning) int { return strings.Compare(a.Path, b.Path) })
	if problems := f.judge(found); len(problems) > 0 {
		return nil, warnings, problems
	}
	return c, warnings, nil
}

func readFile(path string, limit int64) ([]byte, fs.FileMode, error) {
	// A pipe that nobody writes into is empty, instead of something to wait for.
	file, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0) //nolint:gosec // the operator's own configuration names the file
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
		return nil, 0, fmt.Errorf("it is larger than %d KiB", limit>>10)
	}
	return data, info.Mode(), nil
}

// reason is an error of reading without the path, which the message has.
func reason(err error) string {
	if pe, ok := errors.AsType[*fs.PathError](err); ok {
		return pe.Err.Error()
	}
	return err.Error()
}
