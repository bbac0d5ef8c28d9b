package redisstore_test

import (
	"maps"
	"regexp"
	"strconv"
	"sync"
	"testing"

	"keyhole/gateway"
	"keyhole/gateway/redisstore"
	"keyhole/gateway/redisstore/redistest"
)

// commandCalls returns how often each command was called, including calls by scripts.
func commandCalls(t *testing.T, node *redistest.Server) map[string]int {
	t.Helper()
	calls := map[string]int{}
	for _, m := range regexp.MustCompile(`cmdstat_(\w+):calls=(\d+)`).FindAllStringSubmatch(node.MustDo(t, "INFO",
		"commandstats"), -1) {
		n, err := strconv.Atoi(m[2])
		if err != nil {
			t.Fatal(err)
		}
		calls[m[1]] = n
	}
	return calls
}

// TestCommandsOfAClick limits clicks to the commands that they need: five each, and one
// script and one TIME for clicks that share a call.
func TestCommandsOfAClick(t *testing.T) {
	g := startSingle(t)
	node := g.nodes[0]
	s := open(t, g.client)
	link := create(t, s, newLink(t))
	admit(t, s, link.ID, "GET") // now Redis has the script
	const clicks = 64
	for method, want := range map[string]map[string]int{
		"GET":  {"get": clicks, "lindex": clicks, "rpushx": clicks, "xadd": clicks, "setrange": clicks},
		"HEAD": {"get": clicks, "lindex": clicks, "lset": clicks},
	} {
		node.MustDo(t, "CONFIG", "RESETSTAT")
		each(clicks, func(int) { equal(t, method, admit(t, s, link.ID, method), gateway.OutcomeRedirected) })
		calls := commandCalls(t, node)
		scripts := calls["evalsha"]
		if scripts == 0 || scripts > clicks || calls["time"] != scripts {
			t.Errorf("%s: %d scripts and %d looks at the clock for %d clicks", method, scripts, calls["time"], clicks)
		}
		// Some clicks trim the stream and the link's list.
		for _, other := range []string{
			"evalsha", "time", "xtrim", "lpop", "ltrim", "lpush", "config", "config|resetstat",
			"info", "auth", "hello", "client", "ping",
		} {
			delete(calls, other)
		}
		if !maps.Equal(calls, want) {
			t.Errorf("%s: %d clicks called %v, want %v", method, clicks, calls, want)
		}
	}
}

// TestBrokenBeside damages the records of some links and the stream of one partition:
// clicks on other links in the same calls are answered as usual.
func TestBrokenBeside(t *testing.T) {
	g := startSingle(t)
	node, prefix := g.nodes[0], newPrefix()
	s := open(t, g.client, withPrefix(prefix))
	const links = 60
	all := make([]gateway.Link, links)
	for i := range all {
		all[i] = create(t, s, newLink(t))
	}
	key := func(i int, name string) string { return prefix + ":" + partitionOf(all[i].ID) + ":" + name }
	link := func(i int, letter string) string { return key(i, letter+":"+all[i].ID.String()) }
	node.MustDo(t, "DEL", link(0, "l"))
	node.MustDo(t, "RPUSH", link(0, "l"), "no string")
	node.MustDo(t, "DEL", link(1, "h"))
	node.MustDo(t, "SET", link(1, "h"), "no list")
	node.MustDo(t, "SET", link(2, "l"), "\x09 of another version")
	node.MustDo(t, "DEL", key(3, "clicks"))
	node.MustDo(t, "SET", key(3, "clicks"), "no stream")
	for round := range 5 {
		each(links, func(i int) {
			admission, err := s.Admit(t.Context(), gateway.Attempt{ID: all[i].ID, Method: "GET"})
			if i <= 2 || key(i, "") == key(3, "") {
				unavailable(t, "a click on what is broken", err)
			} else if err != nil || admission.Outcome != gateway.OutcomeRedirected {
				t.Errorf("round %d: a click beside what is broken: %q, %v", round, admission.Outcome, err)
			}
		})
	}
	for i := 4; i < links; i++ {
		if key(i, "") != key(3, "") {
			equal(t, "clicks", get(t, s, all[i].ID).Clicks, 5)
		}
	}
	equal(t, "clicks without their event", get(t, s, all[3].ID).Clicks, 0)
}

// BenchmarkScript measures the time that Redis spends in the script of clicks, for each
// click of calls with one click and with several.
func BenchmarkScript(b *testing.B) {
	node := redistest.StartSingle(b)
	for _, together := range []int{1, 32} {
		b.Run(strconv.Itoa(together), func(b *testing.B) {
			s := open(b, clientOptions(redisstore.ModeSingle, node.Addr))
			links := make([]gateway.ID, 1000)
			each(len(links), func(i int) { links[i] = create(b, s, newLink(b)).ID })
			admit(b, s, links[0], "GET")
			node.MustDo(b, "CONFIG", "RESETSTAT")
			b.ResetTimer()
			var clicking sync.WaitGroup
			for worker := range together {
				clicking.Go(func() {
					for i := worker; i < b.N; i += together {
						admit(b, s, links[i%len(links)], "GET")
					}
				})
			}
			clicking.Wait()
			b.StopTimer()
			m := regexp.MustCompile(`cmdstat_evalsha:calls=(\d+),usec=(\d+)`).FindStringSubmatch(node.MustDo(b, "INFO",
				"commandstats"))
			calls, err := strconv.Atoi(m[1])
			spent, err2 := strconv.Atoi(m[2])
			if err != nil || err2 != nil {
				b.Fatal(err, err2)
			}
			b.ReportMetric(float64(b.N)/float64(calls), "clicks/call")
			b.ReportMetric(float64(spent)/float64(b.N), "redis-µs/click")
		})
	}
}
