package gateway

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// The presets of a link's life, and the name that stands where expires_in was
// given instead.
const (
	PresetHandoff         = "handoff"
	PresetTroubleshooting = "troubleshooting"
	PresetBusiness        = "business"
	PresetExtended        = "extended"
	PresetCustom          = "custom"
)

// Presets lists the preset names, shortest first.
func Presets() []string {
	return []string{PresetHandoff, PresetTroubleshooting, PresetBusiness, PresetExtended}
}

// longExpiry is the life above which an issue carries WarnLongExpiry.
const longExpiry = 24 * time.Hour

// Caps are the longest lives of a link by what is known of the object's content.
type Caps struct {
	Sensitive    time.Duration
	NotStated    time.Duration
	NotSensitive time.Duration
}

// Policy decides how long a link lives.
type Policy struct {
	MaxExpiry        time.Duration            // cap over everything
	Caps             Caps                     // within MaxExpiry
	Presets          map[string]time.Duration // life by preset name
	SensitiveObjects []Pattern                // sensitive whatever a request says
}

// Terms is what Policy decided for one link.
type Terms struct {
	Life      time.Duration
	Preset    string
	Sensitive *bool
}

// Decide settles the life of a link that actor asks for. What was asked for and
// is over a cap is refused, by name; a default is shortened to the caps.
func (p *Policy) Decide(actor *Actor, ref ObjectRef, req *IssueRequest) (Terms, error) {
	life, fields := p.asked(req)
	if len(fields) > 0 {
		return Terms{}, invalidFields(fields...)
	}
	sensitive := req.Sensitive
	if matchAny(p.SensitiveObjects, ref) {
		if sensitive != nil && !*sensitive {
			return Terms{}, Invalid("sensitive", "sensitive_object",
				"the policy holds this object sensitive; ask without \"sensitive\": false")
		}
		sensitive = new(true)
	}
	limit, rule, fallback := p.limitFor(actor, sensitive, "with \"sensitive\": false it")

	switch {
	case req.ExpiresIn != "":
		return Terms{life, PresetCustom, sensitive}, within(actor, "expires_in", life, limit, rule)
	case req.Preset != "":
		if req.Preset == PresetExtended && (sensitive == nil || *sensitive) {
			why := `the preset extended is for objects that are stated to be not sensitive; state it with "sensitive": false`
			if sensitive != nil {
				why = "the preset extended is for objects that are not sensitive; take another"
			}
			return Terms{}, Invalid("preset", "over_policy", why)
		}
		return Terms{life, req.Preset, sensitive}, within(actor, "preset", life, limit, rule)
	}
	life = min(p.Presets[fallback], limit)
	if actor.MaxExpiry > 0 {
		life = min(life, actor.MaxExpiry)
	}
	return Terms{life, fallback, sensitive}, nil
}

// asked reads the life that is asked for, 0 where none is, and names what cannot be of
// it, whoever asks and whatever the object.
func (p *Policy) asked(req *IssueRequest) (life time.Duration, found []FieldError) {
	if req.Preset != "" && req.ExpiresIn != "" {
		found = append(found, FieldError{"expires_in", "conflict", "give either a preset or expires_in, not both"})
	}
	if req.Preset != "" {
		var known bool
		if life, known = p.Presets[req.Preset]; !known {
			found = append(found, FieldError{
				"preset", "unknown_preset",
				"there is no such preset; the presets are " + strings.Join(Presets(), ", "),
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

// extend settles what a link that exists may live from now on, and the longest life
// since its issue that this may come to. The caps are those in force now.
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
	if err := within(actor, "expires_in", life, longest, rule); err != nil {
		return 0, 0, err
	}
	if actor.MaxExpiry > 0 {
		longest = min(longest, actor.MaxExpiry)
	}
	return life, longest, nil
}

// limitFor returns the longest life that the policy allows for what is known of the
// content, the rule that sets it, and the preset that applies if the request names
// none. Other names the link that a longer life could be given to, if the sensitivity
// was not stated.
func (p *Policy) limitFor(actor *Actor, sensitive *bool, other string) (limit time.Duration, rule, fallback string) {
	switch {
	case sensitive == nil:
		limit, fallback = p.Caps.NotStated, PresetTroubleshooting
		rule = p.notStated(actor, other)
	case *sensitive:
		limit, rule, fallback = p.Caps.Sensitive, "the object is sensitive", PresetHandoff
	default:
		limit, rule, fallback = p.Caps.NotSensitive, "policy.caps.not_sensitive", PresetBusiness
	}
	if p.MaxExpiry < limit {
		limit, rule = p.MaxExpiry, "policy.max_expiry"
	}
	return limit, rule, fallback
}

// notStated is the rule for objects whose sensitivity was not stated. It offers the
// longer life of an object that is stated to be not sensitive, if there is one that
// this key can give.
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

// within refuses a life that was asked for and is over a cap.
func within(actor *Actor, field string, life, limit time.Duration, rule string) error {
	if life > limit {
		return Invalid(field, "over_policy", fmt.Sprintf("%s is over the limit of %s (%s)",
			FormatLife(life), FormatLife(limit), rule))
	}
	if actor.MaxExpiry > 0 && life > actor.MaxExpiry {
		return &Error{
			Code:    CodeOutOfScope,
			Message: fmt.Sprintf("%s can issue links for at most %s", actor.what(), FormatLife(actor.MaxExpiry)),
			Fields: []FieldError{{
				field, string(CodeOutOfScope),
				fmt.Sprintf("%s is over the limit of %s (max_expiry of %s)",
					FormatLife(life), FormatLife(actor.MaxExpiry), actor.what()),
			}},
		}
	}
	return nil
}

// Invalid is a CodeInvalid error about one field.
func Invalid(field, code, message string) *Error {
	return invalidFields(FieldError{field, code, message})
}

// invalidBecause is Invalid with its cause, for the log alone.
func invalidBecause(cause error, field, code, message string) *Error {
	e := Invalid(field, code, message)
	e.Err = cause
	return e
}

// invalidFields is a CodeInvalid error about all that is wrong.
func invalidFields(fields ...FieldError) *Error {
	return &Error{Code: CodeInvalid, Message: invalidMessage, Fields: fields}
}

// invalidMessage is what every CodeInvalid error says before its fields.
const invalidMessage = "the request names something that cannot be: see errors"

// minLife is the shortest life a link can be given: the signed URL counts whole
// seconds.
const minLife = time.Second

// ParseLife reads the life of a link: a Go duration such as 90m, or days such
// as 7d.
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
		return 0, fmt.Errorf("%.40q is finer than a millisecond", s)
	}
	return life, nil
}

// fineFraction tells whether s has more than three digits behind a point:
// time.ParseDuration drops what is finer than a nanosecond without a word.
func fineFraction(s string) bool {
	_, fraction, _ := strings.Cut(s, ".")
	return len(fraction)-len(strings.TrimLeft(fraction, "0123456789")) > 3
}

// FormatLife writes a life as people write it: 15m, 24h, 7d.
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
