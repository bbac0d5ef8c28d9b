package gateway

import (
	"cmp"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// The presets of a link's life. PresetCustom is the name if the request has expires_in
// instead of a preset.
const (
	PresetHandoff         = "handoff"
	PresetTroubleshooting = "troubleshooting"
	PresetBusiness        = "business"
	PresetExtended        = "extended"
	PresetCustom          = "custom"
)

// Presets lists the names of the presets, in the order of their default lives, the
// shortest first.
func Presets() []string {
	return []string{PresetHandoff, PresetTroubleshooting, PresetBusiness, PresetExtended}
}

// longExpiry is the life above which an issue has WarnLongExpiry.
const longExpiry = 24 * time.Hour

// Caps are the longest lives of a link by the sensitivity of its object.
type Caps struct {
	Sensitive    time.Duration
	NotStated    time.Duration
	NotSensitive time.Duration
}

// Policy decides how long a link lives, and which passphrases are too short.
type Policy struct {
	MaxExpiry        time.Duration            // limit for every link
	Caps             Caps                     // limits below MaxExpiry
	Presets          map[string]time.Duration // life by preset name
	PassphraseMin    int                      // characters that a passphrase needs at least
	SensitiveObjects []Pattern                // always sensitive, even if a request says otherwise
}

// Terms are the decision of a Policy on one link.
type Terms struct {
	Life      time.Duration
	Preset    string
	Sensitive *bool
}

// Decide returns the life, preset and sensitivity of a new link. A requested life over a
// limit is an Error, CodeInvalid or CodeOutOfScope, unless LifeTolerance covers it. Without a
// requested life, Decide shortens the default to the limit.
func (p *Policy) Decide(actor *Actor, ref ObjectRef, req *IssueRequest) (Terms, error) {
	life, fields := p.requestedLife(req)
	if len(fields) > 0 {
		return Terms{}, invalidFields(fields...)
	}
	sensitive := req.Sensitive
	if matchAny(p.SensitiveObjects, ref) {
		if sensitive != nil && !*sensitive {
			return Terms{}, Invalid("sensitive", "sensitive_object", p.notSensitiveRefused(actor, life))
		}
		sensitive = new(true)
	}
	limit, rule, fallback := p.limitFor(actor, sensitive, otherRequest)
	if rule == ruleSensitive && req.Sensitive == nil {
		rule = "sensitive by policy"
	}

	switch {
	case req.ExpiresIn != "":
		life, err := checkLife(actor, "expires_in", life, limit, rule)
		return Terms{life, PresetCustom, sensitive}, err
	case req.Preset != "":
		if req.Preset == PresetExtended && (sensitive == nil || *sensitive) {
			why := `the preset extended needs the statement that the object is not sensitive; send "sensitive": false`
			if sensitive != nil {
				why = "the preset extended is not allowed for sensitive objects; use another preset"
			}
			return Terms{}, Invalid("preset", "over_policy", why)
		}
		life, err := checkLife(actor, "preset", life, limit, rule)
		return Terms{life, req.Preset, sensitive}, err
	}
	life = min(p.Presets[fallback], limit)
	if actor.MaxExpiry > 0 {
		life = min(life, actor.MaxExpiry)
	}
	return Terms{life, fallback, sensitive}, nil
}

// notSensitiveRefused returns the message for an object that a request calls not sensitive but
// the policy calls sensitive. If the requested life is too long for the object, it says so at
// once, because the shorter request would be refused next.
func (p *Policy) notSensitiveRefused(actor *Actor, life time.Duration) string {
	const remove = `; remove "sensitive": false`
	limit := min(p.Caps.Sensitive, p.MaxExpiry)
	if actor.MaxExpiry > 0 {
		limit = min(limit, actor.MaxExpiry)
	}
	if life <= limit {
		return "the policy marks this object as sensitive" + remove
	}
	return fmt.Sprintf("this object is sensitive by policy: at most %s%s, and request a shorter life",
		FormatLife(limit), remove)
}

// requestedLife returns the requested life, 0 if the request has none, and the errors in it
// that do not depend on the actor or the object.
func (p *Policy) requestedLife(req *IssueRequest) (life time.Duration, found []FieldError) {
	if req.Preset != "" && req.ExpiresIn != "" {
		found = append(found, FieldError{"expires_in", "conflict", "send either preset or expires_in, not both"})
	}
	if req.Preset != "" {
		var known bool
		if life, known = p.Presets[req.Preset]; !known {
			found = append(found, FieldError{
				"preset", "unknown_preset",
				"unknown preset; the presets are " + strings.Join(Presets(), ", "),
			})
		}
	}
	if req.ExpiresIn != "" {
		var err error
		if life, err = ParseLife(req.ExpiresIn); err != nil {
			found = append(found, FieldError{"expires_in", "invalid", err.Error()})
		}
	}
	return life, found
}

// extend returns the new life of an existing link from now on, and the longest life since
// its issue that the current limits allow.
func (p *Policy) extend(actor *Actor, link *Link, expiresIn string) (life, longest time.Duration, _ error) {
	life, err := ParseLife(expiresIn)
	if err != nil {
		return 0, 0, Invalid("expires_in", "invalid", err.Error())
	}
	sensitive := link.Sensitive
	if matchAny(p.SensitiveObjects, link.Ref) {
		sensitive = new(true)
	}
	longest, rule, _ := p.limitFor(actor, sensitive, "another link with \"sensitive\": false")
	if life, err = checkLife(actor, "expires_in", life, longest, rule); err != nil {
		return 0, 0, err
	}
	if actor.MaxExpiry > 0 {
		longest = min(longest, actor.MaxExpiry)
	}
	return life, longest, nil
}

// otherRequest names, for limitFor, the request for the same link that may ask for a longer
// life.
const otherRequest = "with \"sensitive\": false it"

// ruleSensitive is the rule of limitFor for sensitive objects.
const ruleSensitive = "the object is sensitive"

// limitFor returns the longest life that the policy allows for a sensitivity, the rule
// that sets this limit, and the preset for a request without a life. other is a text for
// the rule if the sensitivity was not stated: it names the link that may live longer.
func (p *Policy) limitFor(actor *Actor, sensitive *bool, other string) (limit time.Duration, rule, fallback string) {
	switch {
	case sensitive == nil:
		limit, fallback = p.Caps.NotStated, PresetTroubleshooting
		rule = p.notStated(actor, other)
	case *sensitive:
		limit, rule, fallback = p.Caps.Sensitive, ruleSensitive, PresetHandoff
	default:
		limit, rule, fallback = p.Caps.NotSensitive, "policy.caps.not_sensitive", PresetBusiness
	}
	if p.MaxExpiry < limit {
		limit, rule = p.MaxExpiry, "policy.max_expiry"
	}
	return limit, rule, fallback
}

// notStated describes the rule for objects whose sensitivity was not stated. If the actor
// may issue longer links for objects that are not sensitive, the text says so.
func (p *Policy) notStated(actor *Actor, other string) string {
	const rule = "sensitivity was not stated"
	longest := min(p.Caps.NotSensitive, p.MaxExpiry)
	if actor.MaxExpiry > 0 {
		longest = min(longest, actor.MaxExpiry)
	}
	if longest <= p.Caps.NotStated {
		return rule
	}
	return fmt.Sprintf("%s; %s may live for up to %s", rule, other, FormatLife(longest))
}

// LifeTolerance is how much longer than a limit a requested life must be to be refused. A
// life that is longer by less becomes the limit. A client that asks for the life until the
// latest end counts from its own clock, and the request takes time.
const LifeTolerance = time.Second

// cutLife returns the limit for a life that is over the limit by less than LifeTolerance.
func cutLife(life, limit time.Duration) time.Duration {
	if life > limit && life-limit < LifeTolerance {
		return limit
	}
	return life
}

// checkLife returns a requested life, cut to the limits by cutLife. It refuses a life that is
// over the limit of the policy or the actor.
func checkLife(actor *Actor, field string, life, limit time.Duration, rule string) (time.Duration, error) {
	life = cutLife(life, limit)
	if life > limit {
		return 0, Invalid(field, "over_policy", fmt.Sprintf("%s is over the limit of %s (%s)",
			spellOver(life, limit), FormatLife(limit), rule))
	}
	if actor.MaxExpiry == 0 {
		return life, nil
	}
	if life = cutLife(life, actor.MaxExpiry); life > actor.MaxExpiry {
		return 0, &Error{
			Code:    CodeOutOfScope,
			Message: fmt.Sprintf("%s can issue links for at most %s", actor.what(), FormatLife(actor.MaxExpiry)),
			Fields: []FieldError{{
				field, string(CodeOutOfScope),
				fmt.Sprintf("%s is over the limit of %s (max_expiry of %s)",
					spellOver(life, actor.MaxExpiry), FormatLife(actor.MaxExpiry), actor.what()),
			}},
		}
	}
	return life, nil
}

// spellOver writes a life that is over a limit. A rounded text must not read like the limit.
func spellOver(life, limit time.Duration) string {
	if text := SpellLife(life); text != SpellLife(limit) {
		return text
	}
	return FormatLife(life)
}

// Invalid returns a CodeInvalid error about one field.
func Invalid(field, code, message string) *Error {
	return invalidFields(FieldError{field, code, message})
}

// invalidBecause is Invalid with a cause for the log.
func invalidBecause(cause error, field, code, message string) *Error {
	e := Invalid(field, code, message)
	e.Err = cause
	return e
}

// invalidFields returns a CodeInvalid error about several fields.
func invalidFields(fields ...FieldError) *Error {
	return &Error{Code: CodeInvalid, Message: invalidMessage, Fields: fields}
}

// invalidMessage is the message of every CodeInvalid error.
const invalidMessage = "the request is invalid; see errors"

// minLife is the shortest life of a link, because a signed URL states its lifetime in
// whole seconds.
const minLife = time.Second

// ParseLife reads the life of a link: a Go duration such as 90m, or days such as 7d. The
// error describes the text for the operator.
func ParseLife(s string) (time.Duration, error) {
	life, err := time.ParseDuration(s)
	if days, ok := strings.CutSuffix(s, "d"); ok {
		var n uint64
		n, err = strconv.ParseUint(days, 10, 32)
		if n > uint64(math.MaxInt64/(24*time.Hour)) {
			err = strconv.ErrRange
		}
		life = time.Duration(n) * 24 * time.Hour
	}
	switch {
	case err != nil:
		return 0, fmt.Errorf("%.40q is not a duration such as 15m, 24h or 7d", s)
	case life < minLife:
		return 0, fmt.Errorf("%.40q is too short: a link lives for at least one second", s)
	case life%time.Millisecond != 0, fineFraction(s):
		return 0, fmt.Errorf("%.40q is finer than a millisecond; round it to milliseconds", s)
	}
	return life, nil
}

// fineFraction reports whether s has more than three digits after the decimal point.
// time.ParseDuration silently drops fractions of a nanosecond.
func fineFraction(s string) bool {
	_, fraction, _ := strings.Cut(s, ".")
	return len(fraction)-len(strings.TrimLeft(fraction, "0123456789")) > 3
}

// SpellLife writes a duration for people, in at most two units: 5d 16h, 1h 30m, 24h or 45s.
// It rounds to the smaller unit. ParseLife does not read it back.
func SpellLife(d time.Duration) string {
	const day = 24 * time.Hour
	unit, part := day, time.Hour
	for _, smaller := range []time.Duration{time.Hour, time.Minute, time.Second} {
		// Up to two days people count hours.
		if d.Round(smaller) >= 2*day || unit < day && d.Round(smaller) >= unit {
			break
		}
		unit, part = smaller, max(smaller/60, time.Second)
	}
	d = d.Round(part)
	text := ""
	if n := d / unit; n > 0 {
		text = strconv.FormatInt(int64(n), 10) + letterOf(unit)
	}
	if n := d % unit / part; n > 0 {
		text += " " + strconv.FormatInt(int64(n), 10) + letterOf(part)
	}
	return cmp.Or(strings.TrimSpace(text), "0s")
}

// letterOf returns the letter of a unit of SpellLife.
func letterOf(unit time.Duration) string {
	return map[time.Duration]string{24 * time.Hour: "d", time.Hour: "h", time.Minute: "m", time.Second: "s"}[unit]
}

// FormatLife writes a life as people write it: 15m, 24h or 7d. ParseLife reads it back.
func FormatLife(d time.Duration) string {
	const day = 24 * time.Hour
	if d >= 2*day && d%day == 0 {
		return strconv.FormatInt(int64(d/day), 10) + "d"
	}
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = s[:len(s)-2]
	}
	if strings.HasSuffix(s, "h0m") {
		s = s[:len(s)-2]
	}
	return s
}
