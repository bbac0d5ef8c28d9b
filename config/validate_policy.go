package config

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// minLife is the shortest life of a link.
const minLife = time.Second

// maxPassphraseMin is the largest policy.passphrase_min, in characters. It is the length of
// the longest passphrase that keyhole share generates.
const maxPassphraseMin = 64

// lifeCap is one of Caps, with its path and its default.
type lifeCap struct {
	path     string
	value    *time.Duration
	standard time.Duration
}

func (p *Policy) caps() []lifeCap {
	standard := Default().Policy.Caps
	return []lifeCap{
		{"policy.caps.sensitive", &p.Caps.Sensitive, standard.Sensitive},
		{"policy.caps.not_stated", &p.Caps.NotStated, standard.NotStated},
		{"policy.caps.not_sensitive", &p.Caps.NotSensitive, standard.NotSensitive},
	}
}

// longestCap returns the longest of the caps.
func (p *Policy) longestCap() time.Duration {
	return max(p.Caps.Sensitive, p.Caps.NotStated, p.Caps.NotSensitive)
}

// preset is one of Presets, with its path and the longest cap that can apply to it.
type preset struct {
	path  string
	value *time.Duration
	limit time.Duration
}

func (p *Policy) presets() []preset {
	longest := p.longestCap()
	return []preset{
		{"policy.presets.handoff", &p.Presets.Handoff, longest},
		{"policy.presets.troubleshooting", &p.Presets.Troubleshooting, longest},
		{"policy.presets.business", &p.Presets.Business, longest},
		{extendedPath, &p.Presets.Extended, p.Caps.NotSensitive},
	}
}

// extendedPath is the key of the preset that is allowed only for objects that the request
// marks as not sensitive.
const extendedPath = "policy.presets.extended"

func (k *checker) policy(c *Config) {
	p := &c.Policy
	k.between("policy.max_expiry", p.MaxExpiry, minMaxExpiry, maxMaxExpiry)
	k.between("policy.retention", p.Retention, time.Hour, 17520*time.Hour)
	if p.PassphraseMin < 1 || p.PassphraseMin > maxPassphraseMin {
		k.problem("policy.passphrase_min", "must be between 1 and %d, not %d", maxPassphraseMin, p.PassphraseMin)
	}
	if within(p.MaxExpiry, minMaxExpiry, maxMaxExpiry) {
		k.caps(p)
		k.presets(p)
		k.unusedLimits(c)
	}
	k.patterns(c, "policy.sensitive_objects", p.SensitiveObjects)
}

// caps checks the longest lives by sensitivity.
func (k *checker) caps(p *Policy) {
	for _, limit := range p.caps() {
		switch d := *limit.value; {
		case d < minLife:
			k.problem(limit.path, "must be at least 1s, not %s", durationText(d))
		case d > p.MaxExpiry:
			k.aboveMaxExpiry(limit.path, d, p.MaxExpiry)
		case d > limit.standard:
			k.warn(WarnLongCap, limit.path,
				"is %s; the default is %s: a leaked link can be used for that long, unless it is revoked",
				durationText(d), durationText(limit.standard))
		}
	}
}

// aboveMaxExpiry reports a life above policy.max_expiry.
func (k *checker) aboveMaxExpiry(path string, d, maxExpiry time.Duration) {
	k.problem(path, "must be at most policy.max_expiry (%s), not %s", durationText(maxExpiry), durationText(d))
}

// presets checks that each preset can be used for at least one link.
func (k *checker) presets(p *Policy) {
	for _, preset := range p.presets() {
		switch d := *preset.value; {
		case d < minLife:
			k.problem(preset.path, "must be at least 1s, not %s", durationText(d))
		case d > p.MaxExpiry:
			k.aboveMaxExpiry(preset.path, d, p.MaxExpiry)
		case preset.limit < minLife:
			// caps reports the cap itself.
		case d > preset.limit && preset.path == extendedPath:
			k.problem(preset.path,
				"can never be used: %s is above policy.caps.not_sensitive (%s); shorten the preset or raise the cap",
				durationText(d), durationText(preset.limit))
		case d > preset.limit:
			k.problem(preset.path,
				"can never be used: %s is above every cap of policy.caps (at most %s); shorten the preset or raise a cap",
				durationText(d), durationText(preset.limit))
		}
	}
}

// unusedLimits warns of limits that no link can reach, because the caps are shorter.
func (k *checker) unusedLimits(c *Config) {
	longest := c.Policy.longestCap()
	if c.Policy.MaxExpiry > longest && longest >= minLife {
		k.warn(WarnUnusedLimit, "policy.max_expiry",
			"has no effect: no link lives longer than %s, the longest of policy.caps; raise a cap to allow more",
			durationText(longest))
	}
	limit := min(longest, c.Policy.MaxExpiry)
	unused := func(path string, maxExpiry time.Duration) {
		if maxExpiry > limit && limit >= minLife {
			k.warn(WarnUnusedLimit, path+".max_expiry",
				"has no effect: no link lives longer than %s, by policy.max_expiry and policy.caps", durationText(limit))
		}
	}
	for i, key := range c.Operator.Keys {
		unused(fmt.Sprintf("operator.keys[%d]", i), key.MaxExpiry)
	}
	for i, grant := range c.Operator.OIDC.Grants {
		unused(fmt.Sprintf("operator.oidc.grants[%d]", i), grant.MaxExpiry)
	}
}

// patterns checks patterns [storage:]bucket/key. A pattern that matches no configured
// bucket is a warning and not an error, because an operator may add the bucket later; but
// the name may also be mistyped.
func (k *checker) patterns(c *Config, path string, patterns []string) {
	for i, p := range patterns {
		at := fmt.Sprintf("%s[%d]", path, i)
		switch {
		case p == "":
			k.problem(at, "is empty: write a pattern such as reports/*")
		case checkText(p) != nil:
			k.problem(at, "%s", checkText(p))
		case !strings.ContainsAny(p, "*/"):
			k.problem(at, "matches no object: a pattern for a whole bucket ends in /*, such as reports/*")
		case slices.Index(patterns, p) < i:
			k.problem(at, "is listed twice")
		case len(c.Storage) > 0 && !patternReaches(c.Storage, p):
			k.warn(WarnUnknownBucket, at, "matches no bucket of any storage")
		}
	}
}

// patternReaches reports whether a pattern can match a bucket of one of the storages. With
// a * in the storage or the bucket it may match any.
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
