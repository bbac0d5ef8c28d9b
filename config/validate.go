package config

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Limits that several checks use.
const (
	minMaxExpiry = time.Minute
	maxMaxExpiry = 8760 * time.Hour
	minTimeout   = time.Millisecond
	maxTimeout   = time.Minute
)

// checker collects the problems and warnings of validation.
type checker struct {
	problems Problems
	warnings []Warning
}

func (k *checker) problem(path, format string, args ...any) {
	k.problems = append(k.problems, Problem{Path: path, Message: fmt.Sprintf(format, args...)})
}

func (k *checker) warn(code, path, format string, args ...any) {
	k.warnings = append(k.warnings, Warning{Code: code, Path: path, Message: fmt.Sprintf(format, args...)})
}

// validate returns all problems of a configuration in normal form. It changes nothing and
// reads neither files nor the environment, so the result for a file is the same on every
// machine.
func (c *Config) validate() (Problems, []Warning) {
	k := &checker{}
	k.public(c.Public)
	k.operator(c)
	k.console(c)
	k.listeners(c)
	k.redis(c.Redis)
	k.storages(c.Storage)
	k.origins(c)
	k.redirect(c.Redirect)
	k.policy(c)
	k.audit(c.Audit)
	k.pages(c.Pages)
	k.oneOf("log.level", c.Log.Level, "debug", "info", "warn", "error")
	k.oneOf("log.format", c.Log.Format, "json", "text")
	return k.problems, k.warnings
}

func (k *checker) redirect(r Redirect) {
	k.seconds("redirect.lifetime", r.Lifetime, 5*time.Second, 300*time.Second)
	k.seconds("redirect.media_lifetime", r.MediaLifetime, 5*time.Second, time.Hour)
	k.between("redirect.resume_window", r.ResumeWindow, time.Second, 24*time.Hour)
	k.between("redirect.object_check", r.ObjectCheck, 0, time.Minute)
}

func (k *checker) audit(a Audit) {
	k.oneOf("audit.client_address", a.ClientAddress, "full", "truncated", "hashed", "off")
	if a.MaxEntries < 1000 {
		k.problem("audit.max_entries", "must be at least 1000, not %d", a.MaxEntries)
	}
}

// oneOf refuses a value that is not in allowed, and reports whether the value is allowed.
func (k *checker) oneOf(path, value string, allowed ...string) bool {
	if slices.Contains(allowed, value) {
		return true
	}
	last, hint := len(allowed)-1, ""
	if near := Nearest(strings.ToLower(value), allowed); near != "" && value != "" {
		hint = "; did you mean " + near + "?"
	}
	k.problem(path, "must be %s or %s%s", strings.Join(allowed[:last], ", "), allowed[last], hint)
	return false
}

// between refuses a duration outside of least to most.
func (k *checker) between(path string, d, least, most time.Duration) {
	if !within(d, least, most) {
		k.problem(path, "must be between %s and %s, not %s", durationText(least), durationText(most), durationText(d))
	}
}

// within reports whether a duration is in least to most.
func within(d, least, most time.Duration) bool {
	return d >= least && d <= most
}

// seconds is between for whole seconds: X-Amz-Expires has no fractions of a second.
func (k *checker) seconds(path string, d, least, most time.Duration) {
	if within(d, least, most) && d%time.Second != 0 {
		k.problem(path, "must be whole seconds, not %s", durationText(d))
		return
	}
	k.between(path, d, least, most)
}

// together refuses one key of a pair without the other. The problem has the path of the
// missing key.
func (k *checker) together(section, first, second string, hasFirst, hasSecond bool) {
	switch {
	case hasFirst && !hasSecond:
		k.problem(join(section, second), "is missing: %s needs it", first)
	case hasSecond && !hasFirst:
		k.problem(join(section, first), "is missing: %s needs it", second)
	}
}
