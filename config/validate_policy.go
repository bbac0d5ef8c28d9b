package config

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// preset is one of Presets with its key.
type preset struct {
	path  string
	value *time.Duration
}

func (p *Presets) list() []preset {
	return []preset{
		{"policy.presets.handoff", &p.Handoff},
		{"policy.presets.troubleshooting", &p.Troubleshooting},
		{"policy.presets.business", &p.Business},
		{"policy.presets.extended", &p.Extended},
	}
}

func (k *checker) policy(c *Config) {
	p := c.Policy
	k.between("policy.max_expiry", p.MaxExpiry, minMaxExpiry, maxMaxExpiry)
	k.between("policy.retention", p.Retention, time.Hour, 17520*time.Hour)
	for _, preset := range p.Presets.list() {
		switch d := *preset.value; {
		case d < time.Second:
			k.problem(preset.path, "must be at least 1s, not %s", durationText(d))
		case within(p.MaxExpiry, minMaxExpiry, maxMaxExpiry) && d > p.MaxExpiry:
			k.problem(preset.path, "must be at most policy.max_expiry (%s), not %s", durationText(p.MaxExpiry), durationText(d))
		}
	}
	k.patterns(c, "policy.sensitive_objects", p.SensitiveObjects)
}

// patterns checks patterns [storage:]bucket/key. One that matches nothing of
// what is configured is no error, because a bucket may come later, but a
// mistyped bucket would otherwise pass unseen.
func (k *checker) patterns(c *Config, path string, patterns []string) {
	for i, p := range patterns {
		at := fmt.Sprintf("%s[%d]", path, i)
		switch {
		case p == "":
			k.problem(at, "is empty: write a pattern such as reports/*")
		case checkText(p) != nil:
			k.problem(at, "%s", checkText(p))
		case !strings.ContainsAny(p, "*/"):
			k.problem(at, "%s matches no object: write %s for the whole bucket", quote(p), quote(p+"/*"))
		case slices.Index(patterns, p) < i:
			k.problem(at, "%s is listed twice", quote(p))
		case len(c.Storage) > 0 && !patternReaches(c.Storage, p):
			k.warn(WarnUnknownBucket, at, "%s matches no bucket of any storage", quote(p))
		}
	}
}

// patternReaches tells whether the storage and the bucket that a pattern names
// are configured. With a * in either it may reach anything.
func patternReaches(storages []Storage, pattern string) bool {
	bucket, _, _ := strings.Cut(pattern, "/")
	storage, rest, named := strings.Cut(bucket, ":")
	if named {
		bucket = rest
	}
	if strings.Contains(storage+bucket, "*") {
		return true
	}
	return slices.ContainsFunc(storages, func(s Storage) bool {
		return (!named || s.Name == storage) && slices.Contains(s.Buckets, bucket)
	})
}
