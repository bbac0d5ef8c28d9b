package gateway

import (
	"slices"
	"strconv"
	"strings"
	"time"
)

// Action is a right of an operator key or grant.
type Action string

// The values of the configuration key can.
const (
	ActionIssue  Action = "issue"
	ActionRead   Action = "read"
	ActionRevoke Action = "revoke"
	ActionBrowse Action = "browse"
)

// TokenNamePrefix is the beginning of the names of operators with a token. No operator key
// can have such a name.
const TokenNamePrefix = "oidc:"

// Actor is the operator who makes a request. Keyhole reads the rights from the
// configuration at each request. A key that loses a right loses it for earlier links too.
type Actor struct {
	Name string
	// DisplayName is the sender of links for recipients, from the key or the grant; empty:
	// the Name.
	DisplayName string
	Can         []Action
	Objects     []Pattern     // the scope; empty: no objects
	MaxExpiry   time.Duration // longest life of a link; 0: the policy decides
	// Token says that the actor presented a token of the identity provider instead of an
	// operator key. Grant is the grant that the token matches; empty: none.
	Token   bool
	Grant   string
	Address string // of the operator, in the form that audit.client_address allows
}

// Allowed returns a CodeForbidden error if the actor does not have the right.
func (a *Actor) Allowed(action Action) error {
	if slices.Contains(a.Can, action) {
		return nil
	}
	if a.Token && a.Grant == "" {
		return Errorf(CodeForbidden, "this token matches no grant of operator.oidc.grants, so it has no rights")
	}
	return Errorf(CodeForbidden, "%s may not %s; it needs %q in its can", a.what(), action, action)
}

// what returns a name for the actor's credential in messages.
func (a *Actor) what() string {
	if a.Token {
		return "the grant " + a.Grant + " of this token"
	}
	return "this key"
}

// Sees reports whether ref is in the actor's scope.
func (a *Actor) Sees(ref ObjectRef) bool { return matchAny(a.Objects, ref) }

// Unrestricted reports whether every object is in the actor's scope. Only such operators may
// see what concerns the service as a whole.
func (a *Actor) Unrestricted() bool { return slices.Contains(a.Objects, "*") }

// scope returns the actor's scope as text.
func (a *Actor) scope() string {
	var b strings.Builder
	for _, p := range a.Objects {
		b.WriteString(strconv.Quote(string(p)))
	}
	return b.String()
}

// origin returns what the store records about the operator of a change.
func (a *Actor) origin() Origin { return Origin{Actor: a.Name, Address: a.Address} }

// Pattern selects objects: [storage:]bucket/key, in which * matches any sequence of
// bytes, including slashes. Every other byte matches itself. "team/a*" matches "team/ab"
// too; "team/a/*" selects the objects below a.
type Pattern string

// Match reports whether the pattern selects ref. A pattern without a storage selects the
// bucket in every storage.
func (p Pattern) Match(ref ObjectRef) bool { return glob(string(p), p.subject(ref)) }

// subject returns the text of ref to compare with the pattern. It names the storage if
// the pattern names one.
func (p Pattern) subject(ref ObjectRef) string {
	subject := ref.String()
	bucket, _, _ := strings.Cut(string(p), "/")
	if !strings.Contains(bucket, ":") {
		subject = subject[len(ref.Storage)+1:]
	}
	return subject
}

// seesBelow reports whether an object whose key begins with ref's key can be in the
// actor's scope.
func (a *Actor) seesBelow(ref ObjectRef) bool {
	return slices.ContainsFunc(a.Objects, func(p Pattern) bool { return p.mayMatchBelow(ref) })
}

// mayMatchBelow reports whether the pattern can select an object whose key begins with
// ref's key. Only the part before the first star decides.
func (p Pattern) mayMatchBelow(ref ObjectRef) bool {
	subject := p.subject(ref)
	head, _, starred := strings.Cut(string(p), "*")
	return strings.HasPrefix(head, subject) || starred && strings.HasPrefix(subject, head)
}

// matchAny reports whether one of the patterns selects ref.
func matchAny(patterns []Pattern, ref ObjectRef) bool {
	return slices.ContainsFunc(patterns, func(p Pattern) bool { return p.Match(ref) })
}

// glob matches subject against pattern, in which only * is special. It backtracks to the
// last star only, so its time is bounded by len(pattern) × len(subject).
func glob(pattern, subject string) bool {
	star, mark := -1, 0
	p, s := 0, 0
	for s < len(subject) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, mark = p, s
			p++
		case p < len(pattern) && pattern[p] == subject[s]:
			p++
			s++
		case star >= 0:
			mark++
			p, s = star+1, mark
		default:
			return false
		}
	}
	return strings.Trim(pattern[p:], "*") == ""
}
