package redisstore_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"

	"keyhole/gateway"
	"keyhole/gateway/redisstore"
	"keyhole/gateway/redisstore/redistest"
)

// clock is a miniredis whose time the test sets.
type clock struct {
	target
	server *miniredis.Miniredis
	now    time.Time
}

// startClock starts miniredis with a time other than that of this machine.
func startClock(t *testing.T) *clock {
	t.Helper()
	m := redistest.StartMini(t)
	c := &clock{
		target: target{client: clientOptions(redisstore.ModeSingle, m.Addr())},
		server: m, now: time.Date(2031, 5, 1, 12, 0, 0, 0, time.UTC),
	}
	m.SetTime(c.now)
	return c
}

// step moves Redis' clock forward or back.
func (c *clock) step(by time.Duration) {
	c.now = c.now.Add(by)
	c.server.SetTime(c.now)
}

// TestActiveByClock expects the number of live links to follow expiries within a minute,
// not early and not twice.
func TestActiveByClock(t *testing.T) {
	t.Parallel()
	c := startClock(t)
	s := open(t, c.client)
	lifetimes := []time.Duration{90 * time.Second, 90 * time.Second, 10 * time.Minute, 61 * time.Minute, 30 * time.Hour}
	var links []gateway.Link
	for _, life := range lifetimes {
		link := newLink(t)
		link.ID[0] = 5 // All are in one partition.
		links = append(links, create(t, s, link, life))
	}
	if _, _, err := s.Revoke(t.Context(), links[2].ID, "", operator()); err != nil {
		t.Fatalf("revoke: %v", err)
	}
	for _, test := range []struct {
		after time.Duration
		want  int64
	}{
		{0, 4},
		{89 * time.Second, 4},
		{90*time.Second + time.Minute, 2},
		{20 * time.Minute, 2},
		{62 * time.Minute, 1},
		{29 * time.Hour, 1},
		{31 * time.Hour, 0},
		{100 * time.Hour, 0},
	} {
		c.step(test.after - c.now.Sub(time.Date(2031, 5, 1, 12, 0, 0, 0, time.UTC)))
		for range 2 {
			got, err := s.Active(t.Context())
			if err != nil {
				t.Fatalf("count: %v", err)
			}
			if got != test.want {
				t.Errorf("after %v %d links are live, not %d", test.after, got, test.want)
			}
		}
	}
	create(t, s, newLink(t), time.Minute)
	if got, err := s.Active(t.Context()); err != nil || got != 1 {
		t.Errorf("after all that %d links are live, %v", got, err)
	}
}

// TestIndexBuckets issues links over half a year: listings find those that are known,
// across index buckets, and Redis holds nothing of index buckets without links.
func TestIndexBuckets(t *testing.T) {
	t.Parallel()
	c := startClock(t)
	long := func(o *redisstore.Options) {
		o.Prefix, o.Retention = "keyhole", redisstore.Retention{MaxLife: 100 * 24 * time.Hour, AfterEnd: 10 * 24 * time.Hour}
	}
	s := open(t, c.client, long)
	issue := func(n int, life time.Duration) {
		link := newLink(t)
		link.ID[0], link.Note, link.Ref.Key = 7, fmt.Sprint(n), fmt.Sprintf("a/%03d", n)
		create(t, s, link, life)
	}
	const day = 24 * time.Hour
	for n := range 18 {
		life := day
		if n%3 == 0 {
			life = 100 * day
		}
		issue(n, life)
		c.step(10 * day)
	}
	// Now day 180: of the long ones those since day 70 are known, of the short
	// ones those since day 169.
	want := []string{"17", "15", "12", "9"}
	for what, q := range map[string]gateway.ListQuery{
		"everything": {Limit: 3},
		"by bucket":  {Limit: 3, Bucket: "reports"},
		"by label":   {Limit: 3, Labels: map[string]string{"team": "audit"}},
	} {
		equal(t, what, notesOf(listed(t, s, q)), want)
	}
	byKey := gateway.ListQuery{Limit: 3, Bucket: "reports", Prefix: "a/"}
	equal(t, "by key", notesOf(listed(t, s, byKey)), []string{"9", "12", "15", "17"})

	// A shorter policy later hides none of them.
	short := open(t, c.client, withPrefix("keyhole"), func(o *redisstore.Options) {
		o.Retention = redisstore.Retention{MaxLife: time.Hour, AfterEnd: time.Hour}
	})
	equal(t, "under a shorter policy", notesOf(listed(t, short, gateway.ListQuery{Limit: 3})), want)

	c.step(120 * day)
	equal(t, "much later", len(listed(t, s, gateway.ListQuery{Limit: 3})), 0)
	for _, key := range c.server.Keys() {
		switch key {
		case "keyhole:partitions", "keyhole:horizon", "keyhole:cursors",
			"keyhole:{p7}:ops", "keyhole:{p7}:clicks", "keyhole:{p7}:refusals", "keyhole:{p7}:active":
		default:
			t.Errorf("%s is left", key)
		}
	}
	issue(99, day)
	if n, err := c.server.Stream("keyhole:{p7}:ops"); err != nil || len(n) != 1 {
		t.Errorf("%d operators' events are left, %v", len(n), err)
	}
}

// TestClockSteps sets Redis' clock back and forth, even into an earlier index bucket:
// every link is listed once.
func TestClockSteps(t *testing.T) {
	c := startClock(t)
	const indexBucket = 32 * 24 * time.Hour
	c.step(indexBucket - time.Duration(c.now.UnixNano())%indexBucket + 5*24*time.Hour)
	s := open(t, c.client)
	var want []string
	for n := range 40 {
		link := newLink(t)
		link.ID[0], link.Note = 3, fmt.Sprintf("%02d", n)
		create(t, s, link, 7*24*time.Hour)
		want = append([]string{link.Note}, want...)
		switch {
		case n == 10:
			c.step(-10 * 24 * time.Hour)
		case n == 20:
			c.step(10 * 24 * time.Hour)
		case n%2 == 0:
			c.step(-time.Second)
		}
	}
	seen := map[string]int{}
	for _, note := range notesOf(listed(t, s, gateway.ListQuery{Limit: 7})) {
		seen[note]++
	}
	for _, note := range want {
		if seen[note] != 1 {
			t.Errorf("link %s came %d times", note, seen[note])
		}
	}
}

// TestSetRetention raises the horizon in Redis before links use the longer retention, and
// changes nothing if Redis is unavailable.
func TestSetRetention(t *testing.T) {
	c := startClock(t)
	s := open(t, c.client, withPrefix("keyhole"), func(o *redisstore.Options) {
		o.Retention = redisstore.Retention{MaxLife: time.Hour, AfterEnd: time.Hour}
	})
	ended := func() gateway.Link {
		t.Helper()
		link := create(t, s, newLink(t), time.Minute)
		if _, _, err := s.Revoke(t.Context(), link.ID, "", operator()); err != nil {
			t.Fatal(err)
		}
		return link
	}
	known := func(link gateway.Link) bool {
		t.Helper()
		_, err := s.Get(t.Context(), link.ID)
		if err != nil && !errors.Is(err, gateway.ErrNotFound) {
			t.Fatal(err)
		}
		return err == nil
	}
	before := ended()
	if err := s.SetRetention(t.Context(), redisstore.Retention{
		MaxLife:  3 * time.Hour,
		AfterEnd: 2 * time.Hour,
	}); err != nil {
		t.Fatal(err)
	}
	if retentionHorizon, err := c.server.Get("keyhole:horizon"); err != nil || retentionHorizon != "18000000" {
		t.Errorf("the retentionHorizon is %s ms, %v; want 5 h", retentionHorizon, err)
	}
	after := ended()
	c.step(90 * time.Minute)
	if known(before) || !known(after) {
		t.Errorf("after 90 min what ended before is known: %v, and after: %v", known(before), known(after))
	}

	c.server.SetError("LOADING")
	if err := s.SetRetention(t.Context(), redisstore.Retention{
		MaxLife:  time.Hour,
		AfterEnd: 9 * time.Hour,
	}); !errors.Is(err, gateway.ErrUnavailable) {
		t.Errorf("without Redis: got %v, want ErrUnavailable", err)
	}
	c.server.SetError("")
	if err := s.SetRetention(t.Context(), redisstore.Retention{MaxLife: time.Hour}); err == nil {
		t.Error("a retention of nothing was taken")
	}
	link := ended()
	c.step(3 * time.Hour)
	if known(link) {
		t.Error("links are known for as long as was not to be had")
	}
}

// TestTriesByClock lets many addresses guess a passphrase for six hours. An address that
// has not failed yet gets an attempt within a minute, and all addresses together get at
// most 25 in any 15 minutes.
func TestTriesByClock(t *testing.T) {
	t.Parallel()
	c := startClock(t)
	s := open(t, c.client)
	link := newLink(t)
	link.Passphrase = true
	restrict(t, s, link, 48*time.Hour)
	reserve := func(clientKey string) gateway.PassphraseAttempt {
		t.Helper()
		tried, err := s.ReserveAttempt(t.Context(), link.ID, clientKey)
		if err != nil {
			t.Fatalf("try: %v", err)
		}
		return tried
	}
	for i := range 10 { // two addresses use up the limit of the link
		if reserve([]string{"guesser1", "guesser2"}[i%2]).Reserved == "" {
			t.Fatalf("try %d was refused", i+1)
		}
	}
	if wait := reserve("holder00").Wait; wait <= 0 || wait > time.Minute {
		t.Errorf("a client that has not failed waits %v, want a minute at most", wait)
	}
	c.step(time.Minute)
	for _, clientKey := range []string{"guesser1", "guesser2"} {
		if tried := reserve(clientKey); tried.Reserved != "" || tried.Wait <= 13*time.Minute {
			t.Errorf("%s: reserved %q, wait %v", clientKey, tried.Reserved, tried.Wait)
		}
	}
	if reserve("holder00").Reserved == "" {
		t.Error("no try after a minute for a client that has not failed")
	}
	var granted []time.Duration // the times of attempts from now on
	for n := range 6 * 3600 / 10 {
		at := time.Duration(n) * 10 * time.Second
		if reserve(fmt.Sprintf("bot%05d", n)).Reserved != "" {
			granted = append(granted, at)
		}
		c.step(10 * time.Second)
	}
	most := 0
	for i := range granted {
		n := 1
		for i+n < len(granted) && granted[i+n]-granted[i] < 15*time.Minute {
			n++
		}
		most = max(most, n)
	}
	if most > 25 || len(granted) < 300 {
		t.Errorf("%d tries in six hours, up to %d in 15 minutes; want 25 at most", len(granted), most)
	}
}

// TestRelabelAfterAClockStep removes a label from links and adds it again. Some of the
// links were issued after the clock had been set back, behind many others: each is listed
// once, and in its old place.
func TestRelabelAfterAClockStep(t *testing.T) {
	c := startClock(t)
	s := open(t, c.client)
	const before, after = 150, 5 // more than the entries of four chunks
	label := map[string]string{"case": "1"}
	issue := func() gateway.Link {
		link := newLink(t)
		link.ID[0], link.Labels = 7, label // one partition, so one index
		c.step(time.Second)
		return create(t, s, link)
	}
	for range before {
		issue()
	}
	c.step(-before * time.Second)
	var late []gateway.ID
	for range after {
		late = append(late, issue().ID)
	}
	for _, id := range late {
		for _, labels := range []map[string]string{{}, label} {
			if _, err := s.Change(t.Context(), id, gateway.Change{Labels: &labels}, operator()); err != nil {
				t.Fatalf("change: %v", err)
			}
		}
	}
	listed := map[gateway.ID]int{}
	cursor := ""
	for {
		page, err := s.List(t.Context(), gateway.ListQuery{Labels: map[string]string{"case": "1"}, Limit: 40, Cursor: cursor})
		if err != nil {
			t.Fatalf("list: %v", err)
		}
		for _, link := range page.Links {
			listed[link.ID]++
		}
		if cursor = page.Next; cursor == "" {
			break
		}
	}
	equal(t, "links", len(listed), before+after)
	for _, id := range late {
		equal(t, "how often a link that was labelled again is listed", listed[id], 1)
	}
}

// TestChangeNearTheLongestLife cuts a life only if at least a second of it is left.
func TestChangeNearTheLongestLife(t *testing.T) {
	t.Parallel()
	c := startClock(t)
	s := open(t, c.client)
	for _, tt := range []struct {
		life, longest time.Duration
		want          time.Duration // 0: refused
	}{
		{500 * time.Millisecond, 500 * time.Millisecond, 500 * time.Millisecond},
		{1500 * time.Millisecond, time.Second, time.Second},
		{1500 * time.Millisecond, 999 * time.Millisecond, 0},
	} {
		link := create(t, s, newLink(t))
		changed, err := s.Change(t.Context(), link.ID, gateway.Change{Life: tt.life, Longest: tt.longest}, operator())
		var refused *gateway.ChangeError
		if tt.want == 0 {
			if !errors.As(err, &refused) || refused.Limit != gateway.LimitLife {
				t.Errorf("%+v: %v", tt, err)
			}
		} else if err != nil || changed.ExpiresAt.Sub(c.now) != tt.want {
			t.Errorf("%+v: ends after %v, %v", tt, changed.ExpiresAt.Sub(c.now), err)
		}
	}
}
