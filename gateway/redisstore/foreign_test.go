package redisstore_test

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"keyhole/gateway"
	"keyhole/gateway/redisstore"
	"keyhole/gateway/redisstore/redistest"
)

// TestDoubledReplies lets the network repeat some replies while links are clicked and
// read: every answer belongs to the requested link.
func TestDoubledReplies(t *testing.T) {
	const clients, rounds = 16, 100
	node := redistest.StartSingle(t)
	p := redistest.StartProxy(t, node.Addr)
	prefix := newPrefix()
	direct := open(t, clientOptions(redisstore.ModeSingle, node.Addr), withPrefix(prefix))
	s := open(t, clientOptions(redisstore.ModeSingle, p.Addr), withPrefix(prefix))
	links := make([]gateway.Link, clients)
	for i := range links {
		links[i] = newLink(t)
		links[i].Ref.Key = fmt.Sprintf("of/client/%d", i)
		links[i] = create(t, direct, links[i])
	}
	admit(t, s, links[0].ID, "HEAD") // Now the store has been probed.
	p.Double.Store(10)
	var foreign, answered, refused atomic.Int64
	var working sync.WaitGroup
	for _, link := range links {
		working.Go(func() {
			for range rounds {
				a, err := s.Admit(t.Context(), gateway.Attempt{ID: link.ID, Method: "GET"})
				shown, failed := s.Get(t.Context(), link.ID)
				for _, answer := range []struct {
					ref gateway.ObjectRef
					err error
				}{{a.Permission.Ref, err}, {shown.Ref, failed}} {
					switch {
					case answer.err != nil:
						refused.Add(1)
						unavailable(t, "a call", answer.err)
					case answer.ref != link.Ref:
						foreign.Add(1)
					default:
						answered.Add(1)
					}
				}
			}
		})
	}
	working.Wait()
	t.Logf("%d answers, %d refused, %d of another link", answered.Load(), refused.Load(), foreign.Load())
	equal(t, "answers of another link", foreign.Load(), 0)
	if refused.Load() == 0 {
		t.Error("no reply met another call: nothing was tried")
	}
	p.Double.Store(0)
	poll(t, pollLimit, func() bool {
		a, err := s.Admit(t.Context(), gateway.Attempt{ID: links[0].ID, Method: "GET"})
		return err == nil && a.Permission.Ref == links[0].Ref
	})
}

// TestBrokenRecordsBesideGood clicks links whose records are truncated, too long, of
// another type or of another version, together with good ones in the same calls. Good
// clicks are admitted and counted once each, and no click on a broken record is counted.
func TestBrokenRecordsBesideGood(t *testing.T) {
	node := redistest.StartSingle(t)
	prefix := newPrefix()
	s := open(t, clientOptions(redisstore.ModeSingle, node.Addr), withPrefix(prefix))
	key := func(letter string, id gateway.ID) string {
		return keyIn(prefix, letter, id)
	}
	replace := func(key, value string) {
		ttl := node.MustDo(t, "PTTL", key)
		node.MustDo(t, "SET", key, value, "PX", ttl)
	}
	head := func(id gateway.ID) string { return node.MustDo(t, "LINDEX", key("h", id), "0") }
	type spoil struct {
		of     string
		change func(id gateway.ID)
	}
	var spoils []spoil
	cuts := func(what string, width int, change func(id gateway.ID, n int)) {
		for n := range width {
			spoils = append(spoils, spoil{fmt.Sprintf("%s of %d bytes", what, n), func(id gateway.ID) { change(id, n) }})
		}
	}
	cuts("permission", 19, func(id gateway.ID, n int) {
		replace(key("l", id), node.MustDo(t, "GET", key("l", id))[:n])
	})
	cuts("history", 41, func(id gateway.ID, n int) {
		node.MustDo(t, "LSET", key("h", id), "0", head(id)[:n])
	})
	spoils = append(spoils,
		spoil{"permission of version 2 without its restrictions", func(id gateway.ID) {
			replace(key("l", id), "\x02"+node.MustDo(t, "GET", key("l", id))[1:22])
		}},
		spoil{"permission with more prefixes than bytes", func(id gateway.ID) {
			replace(key("l", id), "\x02"+node.MustDo(t, "GET", key("l", id))[1:19]+"\x00\x00\x00\x00\x00\xff\xff4")
		}},
		spoil{"permission with a prefix of no family", func(id gateway.ID) {
			replace(key("l", id), "\x02"+node.MustDo(t, "GET", key("l", id))[1:19]+"\x00\x00\x00\x00\x00\x00\x03xyz rest")
		}},
		spoil{"permission with a prefix cut short", func(id gateway.ID) {
			replace(key("l", id), "\x02"+node.MustDo(t, "GET", key("l", id))[1:19]+"\x00\x00\x00\x00\x00\x00\x044\x20ab rest")
		}},
		spoil{"permission of another type", func(id gateway.ID) {
			node.MustDo(t, "DEL", key("l", id))
			node.MustDo(t, "HSET", key("l", id), "a", "b")
		}},
		spoil{"permission of another version", func(id gateway.ID) {
			node.MustDo(t, "SETRANGE", key("l", id), "0", "\x7f")
		}},
		spoil{"history of another type", func(id gateway.ID) { replace(key("h", id), "x") }},
		spoil{"permission of version 2 of 25 bytes", func(id gateway.ID) {
			replace(key("l", id), "\x02"+node.MustDo(t, "GET", key("l", id))[1:19]+"\x00\x00\x00\x00\x00\x00")
		}},
		spoil{"permission of version 0", func(id gateway.ID) {
			node.MustDo(t, "SETRANGE", key("l", id), "0", "\x00")
		}},
		spoil{"history of version 0", func(id gateway.ID) {
			node.MustDo(t, "LSET", key("h", id), "0", "\x00"+head(id)[1:])
		}},
		spoil{"history of another version", func(id gateway.ID) {
			node.MustDo(t, "LSET", key("h", id), "0", "\x7f"+head(id)[1:])
		}},
	)
	const rounds = 5
	good := make([]gateway.Link, len(spoils))
	for round := range rounds {
		var clicking sync.WaitGroup
		for i, spoil := range spoils {
			if round == 0 {
				good[i] = create(t, s, newLink(t))
			}
			bad := create(t, s, newLink(t))
			before := get(t, s, bad.ID).Clicks
			spoil.change(bad.ID)
			clicking.Go(func() {
				a, err := s.Admit(t.Context(), gateway.Attempt{ID: bad.ID, Method: "GET"})
				if !errors.Is(err, gateway.ErrUnavailable) && a.Outcome != gateway.OutcomeNotFound &&
					a.Outcome != gateway.OutcomeExpired {
					t.Errorf("%s: admitted as %s, %v (%d clicks before)", spoil.of, a.Outcome, err, before)
				}
			})
			clicking.Go(func() {
				equal(t, "good beside "+spoil.of, admit(t, s, good[i].ID, "GET"), gateway.OutcomeRedirected)
			})
		}
		clicking.Wait()
	}
	// Damage behind the part that the script reads is found by the gateway, after the
	// count: the error tells the caller, so that an event can record it.
	for what, record := range map[string]func(string) string{
		"too long":        func(r string) string { return r + "x" },
		"cut in its body": func(r string) string { return r[:len(r)-1] },
	} {
		bad := create(t, s, newLink(t))
		replace(key("l", bad.ID), record(node.MustDo(t, "GET", key("l", bad.ID))))
		for method, counted := range map[string]bool{"GET": true, "HEAD": false} {
			_, err := s.Admit(t.Context(), gateway.Attempt{ID: bad.ID, Method: method})
			unavailable(t, what, err)
			equal(t, what+", "+method+", counted", errors.Is(err, gateway.ErrCounted), counted)
		}
	}
	for i, spoil := range spoils {
		equal(t, "clicks beside "+spoil.of, get(t, s, good[i].ID).Clicks, rounds)
		downloads := 0
		for _, e := range events(t, s, good[i].ID, 100) {
			if e.Kind == gateway.EventRedirected {
				downloads++
			}
		}
		equal(t, "events beside "+spoil.of, downloads, rounds)
	}
}
