package redisstore_test

import (
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"keyhole/gateway"
	"keyhole/gateway/redisstore"
	"keyhole/gateway/redisstore/redistest"
)

// refusedLink is a link in a language, with a life of an hour from start.
func refusedLink(t *testing.T, change func(*gateway.Link)) gateway.Link {
	t.Helper()
	link := newLink(t)
	link.Language = "pl"
	if change != nil {
		change(&link)
	}
	return link
}

// refusedLinks creates a link for each refusal that the script of clicks decides. It
// returns the links as they are after their change, by outcome.
func refusedLinks(t *testing.T, s *redisstore.Store) map[gateway.Outcome]gateway.Link {
	t.Helper()
	all := map[gateway.Outcome]gateway.Link{
		gateway.OutcomeRevoked: create(t, s, refusedLink(t, nil)),
		gateway.OutcomePaused:  create(t, s, refusedLink(t, nil)),
		gateway.OutcomeUsedUp:  restrict(t, s, refusedLink(t, func(l *gateway.Link) { l.MaxClicks = 1 })),
		gateway.OutcomeNotYet: create(t, s, refusedLink(t, func(l *gateway.Link) {
			l.NotBefore = time.Now().Add(30 * time.Minute).UTC().Truncate(time.Millisecond)
		})),
		gateway.OutcomeAddressNotAllowed: create(t, s, refusedLink(t, func(l *gateway.Link) {
			l.Allow = []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}
		})),
		gateway.OutcomeExpired: create(t, s, refusedLink(t, nil), time.Millisecond),
	}
	if changed, err := revokes(t, s, all[gateway.OutcomeRevoked].ID); !changed || err != nil {
		t.Fatalf("revoke: changed %v, %v", changed, err)
	}
	paused := gateway.Change{Paused: new(true)}
	if _, err := s.Change(t.Context(), all[gateway.OutcomePaused].ID, paused, operator()); err != nil {
		t.Fatalf("pause: %v", err)
	}
	spend(t, s, all[gateway.OutcomeUsedUp].ID, "page")
	for outcome, link := range all {
		poll(t, pollLimit, func() bool {
			link = get(t, s, link.ID)
			return outcome != gateway.OutcomeExpired || link.State == gateway.StateExpired
		})
		all[outcome] = link
	}
	return all
}

// TestFactsOfRefusals refuses clicks for every reason: a page gets the facts about the
// link in the same call, a program only the refusal.
func TestFactsOfRefusals(t *testing.T) {
	s := open(t, startSingle(t).client)
	for outcome, link := range refusedLinks(t, s) {
		want := gateway.Facts{
			Reference: link.ID.String()[:8], Language: "pl", ExpiresAt: link.ExpiresAt, NotBefore: link.NotBefore,
			RevokedAt: link.RevokedAt,
		}
		for _, method := range []string{"GET", "HEAD", "POST"} {
			a := gateway.Attempt{ID: link.ID, Method: method, Client: netip.MustParseAddr("203.0.113.9"), Page: true}
			if outcome == gateway.OutcomeUsedUp && method == "POST" {
				continue // A form of a used-up link may still have its nonce.
			}
			got := attempt(t, s, a)
			equal(t, method+" "+string(outcome), got.Outcome, outcome)
			if got.Facts == nil || got.Link != nil {
				t.Fatalf("%s %s: facts %v, link %v", method, outcome, got.Facts, got.Link)
			}
			equal(t, "facts of "+string(outcome), *got.Facts, want)
			if a.Page = false; method != "POST" {
				got = attempt(t, s, a)
				equal(t, method+" for a program", []any{got.Outcome, got.Facts == nil}, []any{outcome, true})
			}
		}
		equal(t, "the reason", link.RevokedAt.IsZero(), outcome != gateway.OutcomeRevoked)
	}
	unknown := attempt(t, s, gateway.Attempt{ID: newID(t), Method: "GET", Page: true})
	equal(t, "an unknown link", unknown, gateway.Admission{Outcome: gateway.OutcomeNotFound})
}

// TestFactsBesideBroken refuses clicks in the same calls as clicks on links whose
// histories are damaged. A refusal with a damaged history stays and has no facts.
func TestFactsBesideBroken(t *testing.T) {
	node, prefix := redistest.StartSingle(t), newPrefix()
	s := open(t, clientOptions(redisstore.ModeSingle, node.Addr), withPrefix(prefix))
	good := refusedLinks(t, s)
	for range 5 {
		body, version, kind := refusedLinks(t, s), refusedLinks(t, s), refusedLinks(t, s)
		for outcome := range good {
			key := keyIn(prefix, "h", body[outcome].ID)
			head := node.MustDo(t, "LINDEX", key, "0")
			node.MustDo(t, "LSET", key, "0", head[:len(head)-1])
			key = keyIn(prefix, "h", version[outcome].ID)
			node.MustDo(t, "LSET", key, "0", "\x7f"+node.MustDo(t, "LINDEX", key, "0")[1:])
			key = keyIn(prefix, "h", kind[outcome].ID)
			node.MustDo(t, "DEL", key)
			node.MustDo(t, "SET", key, "no list")
		}
		var clicking sync.WaitGroup
		click := func(link gateway.Link, check func(gateway.Admission, error)) {
			clicking.Go(func() {
				check(s.Admit(t.Context(), gateway.Attempt{ID: link.ID, Method: "GET", Page: true}))
			})
		}
		for outcome, link := range good {
			click(link, func(a gateway.Admission, err error) {
				if err != nil || a.Outcome != outcome || a.Facts == nil || a.Facts.Reference != link.ID.Reference() {
					t.Errorf("%s: got %s, %v, %v", outcome, a.Outcome, a.Facts, err)
				}
			})
			click(body[outcome], func(a gateway.Admission, err error) {
				if err != nil || a.Outcome != outcome || a.Facts != nil {
					t.Errorf("%s with a damaged history: got %s, %v, %v", outcome, a.Outcome, a.Facts, err)
				}
			})
			click(version[outcome], func(_ gateway.Admission, err error) {
				unavailable(t, string(outcome)+" with an unknown version", err)
			})
			click(kind[outcome], func(_ gateway.Admission, err error) {
				unavailable(t, string(outcome)+" with a history of another type", err)
			})
		}
		clicking.Wait()
	}
}

// TestCommandsOfARefusal counts the commands of refused clicks: a page needs no command
// more than a program.
func TestCommandsOfARefusal(t *testing.T) {
	g := startSingle(t)
	node, s := g.nodes[0], open(t, g.client)
	all := refusedLinks(t, s)
	count := func(id gateway.ID, page bool) map[string]int {
		node.MustDo(t, "CONFIG", "RESETSTAT")
		if _, err := s.Admit(t.Context(), gateway.Attempt{ID: id, Method: "GET", Page: page}); err != nil {
			t.Fatalf("admit: %v", err)
		}
		calls := commandCalls(t, node)
		for command := range calls {
			if strings.HasPrefix(command, "config") || strings.HasPrefix(command, "client") ||
				command == "info" || command == "auth" || command == "hello" || command == "ping" {
				delete(calls, command)
			}
		}
		return calls
	}
	for outcome, link := range all {
		program, page := count(link.ID, false), count(link.ID, true)
		equal(t, "commands of "+string(outcome), page, program)
		equal(t, "scripts of "+string(outcome), page["evalsha"], 1)
	}
}
