package gateway

import (
	"slices"
	"strconv"
	"strings"
	"time"
)

// Action is one thing that an operator key may be allowed to do.
type Action string

// The actions of a key's can.
const (
	ActionIssue  Action = "issue"
	ActionRead   Action = "read"
	ActionRevoke Action = "revoke"
	ActionBrowse Action = "browse"
)

// Actor is the operator key that a request came with. Its scope is read at each
// request, so what a key loses it loses for links made earlier too.
type Actor struct {
	Name      string
	Can       []Action
	Objects   []Pattern     // what it may touch; empty: nothing
	MaxExpiry time.Duration // longest life it may give a link; 0: as the policy says
	// Token says that the actor presented a token of the identity provider instead of an
	// operator key. Grant is the grant that the token matches; empty: none.
	Token   bool
	Grant   string
	Address string // where the request came from, as far as it may be kept
}

// Allowed returns a CodeForbidden error unless the actor can do action.
func (a *Actor) Allowed(action Action) error {
	if slices.Contains(a.Can, action) {
		return nil
	}
	if a.Token && a.Grant == "" {
		return Errorf(CodeForbidden, "this token matches no grant of operator.oidc.grants, so it may do nothing")
	}
	return Errorf(CodeForbidden, "%s may not %s; it needs %q in its can", a.what(), action, action)
}

// what names what the actor presented, for messages.
func (a *Actor) what() string {
	if a.Token {
		return "the grant " + a.Grant + " of this token"
	}
	return "this key"
}

// Sees tells whether ref lies in the actor's scope.
func (a *Actor) Sees(ref ObjectRef) bool { return matchAny(a.Objects, ref) }

// seesAll tells whether everything lies in the actor's scope, whatever it is.
func (a *Actor) seesAll() bool { return slices.Contains(a.Objects, "*") }

// scope writes down what the actor may see.
func (a *Actor) scope() string {
	var b strings.Builder
	for _, p := range a.Objects {
		b.WriteString(strconv.Quote(string(p)))
	}
	return b.String()
}

// origin is how the store writes down who changed a link.
func (a *Actor) origin() Origin { return Origin{Actor: a.Name, Address: a.Address} }

// Pattern selects objects: [storage:]bucket/key, in which * matches any run of
// bytes, slashes included, and every other byte is itself. "team/a*" does match
// "team/ab"; write "team/a/*" for what lies below a.
type Pattern string

// Match tells whether the pattern selects ref. Without a storage it selects the
// bucket of that name in every storage.
func (p Pattern) Match(ref ObjectRef) bool { return glob(string(p), p.subject(ref)) }

// subject is how ref is written for the pattern: with its storage where the
// pattern has one.
func (p Pattern) subject(ref ObjectRef) string {
	subject := ref.String()
	bucket, _, _ := strings.Cut(string(p), "/")
	if !strings.Contains(bucket, ":") {
		subject = subject[len(ref.Storage)+1:]
	}
	return subject
}

// seesBelow tells whether a key that begins with ref's may lie in the actor's scope.
func (a *Actor) seesBelow(ref ObjectRef) bool {
	return slices.ContainsFunc(a.Objects, func(p Pattern) bool { return p.mayMatchBelow(ref) })
}

// mayMatchBelow tells whether the pattern can select anything whose key begins
// with ref's: what stands before its first star decides.
func (p Pattern) mayMatchBelow(ref ObjectRef) bool {
	subject := p.subject(ref)
	head, _, starred := strings.Cut(string(p), "*")
	return strings.HasPrefix(head, subject) || starred && strings.HasPrefix(subject, head)
}

// matchAny tells whether one of the patterns selects ref.
func matchAny(patterns []Pattern, ref ObjectRef) bool {
	return slices.ContainsFunc(patterns, func(p Pattern) bool { return p.Match(ref) })
}

// glob matches subject against pattern, in which only * is special. It goes back
// to the last star alone, so its time is bounded by len(pattern) × len(subject).
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
