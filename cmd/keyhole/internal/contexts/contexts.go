package contexts

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
)

// Context is one service and how to get the operator key for it.
type Context struct {
	Name string `yaml:"name"`
	// URL is scheme, host and port of the operator API. This package does not validate it.
	URL string `yaml:"url"`
	// Key is the operator key. It is secret, and empty if KeyFile is set.
	Key string `yaml:"key,omitempty"`
	// KeyFile is a file that contains the operator key. After Load the path is absolute.
	KeyFile string `yaml:"key_file,omitempty"`
}

// Config is the client configuration. The zero value has no contexts.
type Config struct {
	// Current is the name of the context that commands use by default; empty: none.
	Current  string    `yaml:"current,omitempty"`
	Contexts []Context `yaml:"contexts"`
}

var (
	// ErrExists means that there is a context with that name.
	ErrExists = errors.New("this context exists already")
	// ErrUnknown means that there is no context with that name.
	ErrUnknown = errors.New("there is no such context")
	// ErrInvalid means that the file is not a valid configuration.
	ErrInvalid = errors.New("not a valid configuration of contexts")
)

// contextName matches the names of contexts. A name that begins with a hyphen would look
// like a flag.
var contextName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$`)

// ValidName reports whether name can be the name of a context: 1 to 63 letters, digits,
// dots, underscores or hyphens, beginning with a letter or a digit.
func ValidName(name string) bool { return contextName.MatchString(name) }

// Find returns the context with that name, or ErrUnknown.
func (c *Config) Find(name string) (Context, error) {
	if i := c.index(name); i >= 0 {
		return c.Contexts[i], nil
	}
	return Context{}, ErrUnknown
}

// Names returns the names of all contexts in their order.
func (c *Config) Names() []string {
	names := make([]string, len(c.Contexts))
	for i := range c.Contexts {
		names[i] = c.Contexts[i].Name
	}
	return names
}

// Add adds a context. The first one becomes the current context. It returns ErrExists if
// the name is in use and replace is not set.
func (c *Config) Add(added Context, replace bool) error {
	i := c.index(added.Name)
	switch {
	case i >= 0 && !replace:
		return ErrExists
	case i >= 0:
		c.Contexts[i] = added
	default:
		c.Contexts = append(c.Contexts, added)
	}
	if len(c.Contexts) == 1 {
		c.Current = added.Name
	}
	return nil
}

// Use makes a context the current one. It returns ErrUnknown for an unknown name.
func (c *Config) Use(name string) error {
	if c.index(name) < 0 {
		return ErrUnknown
	}
	c.Current = name
	return nil
}

// Remove removes a context. If it was the current one, no context is current: choosing
// another one would send the next command to a service that nobody named. It returns
// ErrUnknown for an unknown name.
func (c *Config) Remove(name string) error {
	i := c.index(name)
	if i < 0 {
		return ErrUnknown
	}
	c.Contexts = slices.Delete(c.Contexts, i, i+1)
	if c.Current == name {
		c.Current = ""
	}
	return nil
}

// index returns the index of a context, or -1.
func (c *Config) index(name string) int {
	return slices.IndexFunc(c.Contexts, func(x Context) bool { return x.Name == name })
}

// check returns the first mistake of a configuration, as an ErrInvalid. Its text contains
// no key.
func (c *Config) check() error {
	for i := range c.Contexts {
		x := &c.Contexts[i]
		at := fmt.Sprintf("contexts[%d]", i)
		switch {
		case !ValidName(x.Name):
			return fmt.Errorf("%w: %s.name must have 1 to 63 letters, digits, dots, underscores or hyphens", ErrInvalid, at)
		case c.index(x.Name) != i:
			return fmt.Errorf("%w: %s has the same name as contexts[%d]", ErrInvalid, at, c.index(x.Name))
		case x.URL == "":
			return fmt.Errorf("%w: %s.url is missing", ErrInvalid, at)
		case (x.Key == "") == (x.KeyFile == ""):
			return fmt.Errorf("%w: %s needs either key or key_file", ErrInvalid, at)
		}
	}
	if c.Current != "" && c.index(c.Current) < 0 {
		return fmt.Errorf("%w: current is not the name of a context", ErrInvalid)
	}
	return nil
}
