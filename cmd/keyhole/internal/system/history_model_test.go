//go:build system

package system

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/anishathalye/porcupine"
)

// The kinds of operations of a history.
const (
	opIssue  = "issue"
	opClick  = "click" // GET of a plain link
	opPage   = "page"  // GET of a limited link
	opPost   = "post"  // the form of a limited link
	opRevoke = "revoke"
	opBulk   = "revoke all" // by the link's own label
	opPause  = "pause"
	opUnlock = "resume" // after a pause
	opExpire = "change" // of expires_in
)

// The answers that are no outcome of a click.
const (
	answerOK = "ok"
	// answerUnknown is a 503 or none at all: it may have happened, at any time
	// since, and what was not confirmed may be undone by a failover.
	answerUnknown = "unknown"
	answerEnded   = "not_active"
)

// event is one operation: who called, when, what was answered, and when.
type event struct {
	client    int
	kind      string
	nonce     string // of a post; empty: none
	answer    string
	call, ret time.Duration // since the history began
	expires   time.Duration // what an issue or a change answered
}

// linkHistory is everything that was done to one link.
type linkHistory struct {
	id     string
	max    int64 // clicks; 0: a plain link
	events []event
}

// linkState is what the model knows of a link. What an operation of an unknown
// answer may have done is kept apart: it may be there or not, and come and go.
type linkState struct {
	spent        int64 // by posts that were acknowledged
	maybeSpent   int64 // by others
	nonces       string
	revoked      bool
	maybeRevoked bool
	paused       bool
	maybePaused  bool // neither pausing nor resuming is certain
	maybeExpired bool // its end has been brought near
}

// linkModel checks a link's history: every answer must be one that a link could
// give which does everything at one moment between its call and its return.
func linkModel(max int64) porcupine.Model {
	return porcupine.Model{
		Init: func() any { return linkState{} },
		Step: func(state, input, output any) (bool, any) {
			return step(state.(linkState), max, input.(event), output.(string))
		},
		DescribeOperation: func(input, output any) string {
			return fmt.Sprintf("%s %s", input.(event).kind, output)
		},
	}
}

// step tells whether a link of that state could answer so, and its state then.
func step(s linkState, max int64, e event, answer string) (bool, linkState) {
	usedUp := max > 0 && s.spent >= max
	maybeUsedUp := max > 0 && s.spent+s.maybeSpent >= max
	ended := s.revoked || usedUp
	maybeEnded := ended || s.maybeRevoked || maybeUsedUp
	switch e.kind {
	case opRevoke, opBulk:
		if answer == answerUnknown {
			s.maybeRevoked = true
			return true, s
		}
		s.revoked = true // a used-up link stays so, and ends all the same
		return true, s
	case opPause, opUnlock:
		switch answer {
		case answerUnknown:
			s.maybePaused = true
			return true, s
		case answerEnded:
			return maybeEnded || s.maybeExpired, s
		}
		s.paused, s.maybePaused = e.kind == opPause, false
		return !ended, s
	case opExpire:
		if answer == answerEnded {
			return maybeEnded || s.maybeExpired, s
		}
		s.maybeExpired = true
		return answer == answerUnknown || !ended, s
	case opIssue:
		return true, s
	case opPage:
		return answer != "redirected", s // nothing is spent by looking
	}
	switch answer {
	case "redirected": // or resumed, where the page has been sent before
		switch {
		case s.revoked, s.paused && !s.maybePaused:
			return false, s
		case max == 0, s.hasNonce(e.nonce):
			return true, s
		}
		s.spent++
		s.nonces += nonceMark(e.nonce)
		return !usedUp, s
	case "revoked":
		return (s.revoked || s.maybeRevoked) && !usedUp, s
	case "used_up":
		return maybeUsedUp, s
	case "paused":
		return s.paused || s.maybePaused, s
	case "expired":
		return true, s // decided by the clock
	case "rate_limited": // in place of a refusal, of which there were too many
		return maybeEnded || s.paused || s.maybePaused || s.maybeExpired, s
	case answerUnknown:
		if max > 0 {
			s.maybeSpent++
		}
		return true, s
	}
	return false, s
}

// nonceMark is how a spent nonce is kept in a state, which is compared by value.
func nonceMark(nonce string) string {
	if nonce == "" {
		return ""
	}
	return "," + nonce
}

// hasNonce tells whether the nonce has spent a click for certain.
func (s linkState) hasNonce(nonce string) bool {
	return nonce != "" && slices.Contains(strings.Split(s.nonces, ","), nonce)
}

// check returns what is wrong with a link's history: by three laws that need no
// model, and by porcupine. early is how far Redis' clock and this one may differ.
func (h *linkHistory) check() error {
	const early = 2 * time.Millisecond
	spent, pages := int64(0), map[string]bool{}
	revokedAt, expires := time.Duration(math.MaxInt64), time.Duration(0)
	for _, e := range h.events {
		switch {
		case e.revokes() && e.answer == answerOK:
			revokedAt = min(revokedAt, e.ret)
		case e.kind == opIssue, e.kind == opExpire && e.answer == answerOK:
			expires = e.expires
		case e.kind == opExpire && e.answer == answerUnknown:
			expires = math.MaxInt64 // until one is known again
		}
	}
	for _, e := range h.events {
		if e.answer != "redirected" {
			continue
		}
		if !pages[e.nonce] {
			spent++ // a page that is sent again is answered again
		}
		pages[e.nonce] = e.nonce != ""
		switch {
		case e.call > revokedAt:
			return fmt.Errorf("a redirect began %s after an acknowledged revocation", e.call-revokedAt)
		case e.call-expires > early:
			return fmt.Errorf("a redirect began %s after the link's end", e.call-expires)
		}
	}
	if h.max > 0 && spent > h.max {
		return fmt.Errorf("%d clicks of %d are answered by redirects", spent, h.max)
	}
	first := h.firstUnknownRevocation()
	var operations []porcupine.Operation
	for i, e := range h.events {
		if e.revokes() && e.answer == answerUnknown && i != first {
			continue // whatever it may have done, the first may have done at that time
		}
		if (e.kind == opClick || e.kind == opPage) && e.answer == answerUnknown {
			continue // it changes nothing that the model knows
		}
		ret := int64(e.ret)
		if e.answer == answerUnknown {
			ret = math.MaxInt64
		}
		operations = append(operations,
			porcupine.Operation{ClientId: e.client, Input: e, Output: e.answer, Call: int64(e.call), Return: ret})
	}
	if result := porcupine.CheckOperationsTimeout(linkModel(h.max), operations, 2*time.Minute); result != porcupine.Ok {
		return fmt.Errorf("porcupine says %s", result)
	}
	return nil
}

// revokes tells whether the operation is a revocation, of one link or of many.
func (e *event) revokes() bool { return e.kind == opRevoke || e.kind == opBulk }

// firstUnknownRevocation returns the index of the revocation of an unknown answer that
// was called first, -1 for none. A client repeats one until it is acknowledged, dozens of
// times in an outage: in any order of them there would be too many to check.
func (h *linkHistory) firstUnknownRevocation() int {
	first := -1
	for i := range h.events {
		e := &h.events[i]
		if e.revokes() && e.answer == answerUnknown && (first < 0 || e.call < h.events[first].call) {
			first = i
		}
	}
	return first
}

// String writes the history in the order of calls, for whoever looks for what went
// wrong.
func (h *linkHistory) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "link %s, max_clicks %d\n", h.id, h.max)
	for _, e := range slices.SortedFunc(slices.Values(h.events), func(a, b event) int { return int(a.call - b.call) }) {
		fmt.Fprintf(&b, "  %12s to %12s  client %d  %s %s %s\n", e.call, e.ret, e.client, e.kind, e.nonce, e.answer)
	}
	return b.String()
}
