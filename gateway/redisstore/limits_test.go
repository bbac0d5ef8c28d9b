package redisstore_test

import (
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"testing"
	"time"

	"keyhole/gateway"
	"keyhole/gateway/redisstore"
)

// window is the resume window of the tests.
const window = 10 * time.Minute

// limited returns a link that needs confirmation, with a click limit.
func limited(tb testing.TB, clicks int64) gateway.Link {
	tb.Helper()
	link := newLink(tb)
	link.MaxClicks = clicks
	return link
}

// secrets returns the secrets of every restricted link in the tests.
func secrets() gateway.Secrets {
	return gateway.Secrets{Key: [16]byte([]byte("0123456789abcdef")), Passphrase: "\x01kept"}
}

// restrict stores a link with restrictions.
func restrict(tb testing.TB, s *redisstore.Store, link gateway.Link, life ...time.Duration) gateway.Link {
	tb.Helper()
	lifetime := time.Hour
	if len(life) > 0 {
		lifetime = life[0]
	}
	created, err := s.Create(tb.Context(), link, secrets(), lifetime, operator())
	if err != nil {
		tb.Fatalf("create: %v", err)
	}
	return created
}

// attempt clicks a link and records the event of a refusal, as the service does.
func attempt(tb testing.TB, s *redisstore.Store, a gateway.Attempt) gateway.Admission {
	tb.Helper()
	admission, err := s.Admit(tb.Context(), a)
	if err != nil {
		tb.Fatalf("admit: %v", err)
	}
	recordRefusal(tb, s, a, admission.Outcome)
	return admission
}

// spend sends a form and returns the result.
func spend(tb testing.TB, s *redisstore.Store, id gateway.ID, nonce string) gateway.Spent {
	tb.Helper()
	a := gateway.Attempt{ID: id, Method: "POST", Address: "203.0.113.9"}
	spent, err := s.Spend(tb.Context(), a, gateway.Spending{Nonce: nonce, Window: window})
	if err != nil {
		tb.Fatalf("spend: %v", err)
	}
	recordRefusal(tb, s, a, spent.Outcome)
	return spent
}

func testRestrictions(t *testing.T, g target) {
	t.Helper()
	s := open(t, g.client)
	prefixes := func(texts ...string) (all []netip.Prefix) {
		for _, text := range texts {
			all = append(all, netip.MustParsePrefix(text))
		}
		return all
	}
	full := limited(t, 1_000_000)
	full.Confirm, full.Passphrase, full.Reveal, full.Language, full.Sender = true, true, gateway.RevealBefore, "de", "Anna"
	full.Allow = prefixes("192.0.2.0/25", "198.51.100.7/32", "2001:db8:8000::/33", "0.0.0.0/5")
	full.NotBefore = time.Now().Add(-time.Hour).UTC().Truncate(time.Millisecond)
	created := restrict(t, s, full)
	full.State, full.CreatedAt, full.ExpiresAt = gateway.StateActive, created.CreatedAt, created.ExpiresAt
	equal(t, "created", plain(created), plain(full))
	equal(t, "got", plain(get(t, s, full.ID)), plain(full))

	plainLink := newLink(t)
	plainLink.Allow = full.Allow
	restrict(t, s, plainLink)
	for client, want := range map[string]gateway.Outcome{
		"192.0.2.0": gateway.OutcomeRedirected, "192.0.2.127": gateway.OutcomeRedirected,
		"192.0.2.128": gateway.OutcomeAddressNotAllowed, "198.51.100.7": gateway.OutcomeRedirected,
		"198.51.100.6": gateway.OutcomeAddressNotAllowed, "::ffff:192.0.2.1": gateway.OutcomeRedirected,
		"2001:db8:8000::1": gateway.OutcomeRedirected, "2001:db8:ffff::1": gateway.OutcomeRedirected,
		"2001:db8:7fff::1": gateway.OutcomeAddressNotAllowed, "7.255.255.255": gateway.OutcomeRedirected,
		"8.0.0.0": gateway.OutcomeAddressNotAllowed, "700::": gateway.OutcomeAddressNotAllowed,
		"": gateway.OutcomeAddressNotAllowed, // unknown address
	} {
		a := gateway.Attempt{ID: plainLink.ID, Method: "GET"}
		if client != "" {
			a.Client = netip.MustParseAddr(client)
		}
		equal(t, "from "+client, attempt(t, s, a).Outcome, want)
	}
	for bits, inside := range map[string][2]string{
		"2001:db8::/32": {"2001:db8:ffff::", "2001:db9::"}, "::/0": {"2001:db8::", "192.0.2.1"},
		"0.0.0.0/0": {"192.0.2.1", "2001:db8::"}, "2001:db8::1/128": {"2001:db8::1", "2001:db8::2"},
	} {
		link := newLink(t)
		link.Allow = prefixes(bits)
		restrict(t, s, link)
		for i, want := range []gateway.Outcome{gateway.OutcomeRedirected, gateway.OutcomeAddressNotAllowed} {
			a := gateway.Attempt{ID: link.ID, Method: "HEAD", Client: netip.MustParseAddr(inside[i])}
			equal(t, bits+" from "+inside[i], attempt(t, s, a).Outcome, want)
		}
	}

	later := newLink(t)
	later.NotBefore = time.Now().Add(30 * time.Minute).UTC().Truncate(time.Millisecond)
	equal(t, "state before the start", restrict(t, s, later).State, gateway.StateNotYet)
	equal(t, "state before the start", get(t, s, later.ID).State, gateway.StateNotYet)
	equal(t, "before the start", admit(t, s, later.ID, "GET"), gateway.OutcomeNotYet)
	never := newLink(t)
	never.NotBefore = time.Now().Add(2 * time.Hour)
	if _, err := s.Create(t.Context(), never, secrets(), time.Hour, operator()); !errors.Is(err, gateway.ErrNeverValid) {
		t.Errorf("a link that ends before it begins: %v", err)
	}
	if _, err := s.Get(t.Context(), never.ID); !errors.Is(err, gateway.ErrNotFound) {
		t.Errorf("it was kept: %v", err)
	}
}

// testConfirmation checks that only Spend counts clicks of a link that needs
// confirmation.
func testConfirmation(t *testing.T, g target) {
	t.Helper()
	s := open(t, g.client)
	link := restrict(t, s, limited(t, 2))
	for _, tt := range []struct {
		a    gateway.Attempt
		want gateway.Outcome
	}{
		{gateway.Attempt{Method: "GET", Page: true}, gateway.OutcomePage},
		{gateway.Attempt{Method: "HEAD", Page: true}, gateway.OutcomePage},
		{gateway.Attempt{Method: "GET"}, gateway.OutcomeConfirmationRequired},
		{gateway.Attempt{Method: "GET", Page: true, Grant: "forged"}, ""},
		{gateway.Attempt{Method: "POST", Page: true}, ""},
		{gateway.Attempt{Method: "HEAD", Form: &gateway.Form{}}, ""}, // a form that is checked again
	} {
		tt.a.ID, tt.a.Address = link.ID, "203.0.113.9"
		admission := attempt(t, s, tt.a)
		equal(t, tt.a.Method+" outcome", admission.Outcome, tt.want)
		equal(t, tt.a.Method+" link", plain(*admission.Link), plain(link))
		equal(t, tt.a.Method+" secrets", admission.Permission.Secrets, secrets())
		if skew := time.Since(admission.Now).Abs(); skew > time.Minute || admission.UsedUp {
			t.Errorf("%s: now is off by %v, used up %v", tt.a.Method, skew, admission.UsedUp)
		}
	}
	equal(t, "clicks", get(t, s, link.ID).Clicks, 0)
	for _, o := range []gateway.Outcome{
		gateway.OutcomeWrongPassphrase, gateway.OutcomeRateLimited,
		gateway.OutcomeBadRequest,
	} {
		refused := gateway.Attempt{ID: link.ID, Method: "POST"}
		if err := s.RecordEvent(t.Context(), refused, gateway.EventRefused, o); err != nil {
			t.Errorf("note %s: %v", o, err)
		}
	}
	list, err := s.Events(t.Context(), link.ID, "", 50)
	if err != nil {
		t.Fatalf("events: %v", err)
	}
	var got []string
	for _, e := range list.Events {
		got = append(got, fmt.Sprint(e.Kind, " ", e.Outcome, " ", e.Method))
	}
	equal(t, "events", got, []string{
		"refused bad_request POST", "refused rate_limited POST", "refused wrong_passphrase POST",
		"refused confirmation_required GET", "page page GET", "issued  ",
	})
}

func testSpend(t *testing.T, g target) {
	t.Helper()
	s := open(t, g.client)
	link := restrict(t, s, limited(t, 5))
	first := spend(t, s, link.ID, "nonce-a")
	equal(t, "first", first.Outcome, gateway.OutcomeRedirected)
	equal(t, "grant", first.GrantEnd.Sub(first.Now), window)
	again := spend(t, s, link.ID, "nonce-a")
	equal(t, "the same page again", again.Outcome, gateway.OutcomeResumed)
	equal(t, "its grant", again.GrantEnd, first.GrantEnd)
	equal(t, "without nonce", spend(t, s, link.ID, "").Outcome, gateway.OutcomeRedirected)
	equal(t, "without nonce again", spend(t, s, link.ID, "").Outcome, gateway.OutcomeRedirected)
	equal(t, "clicks", get(t, s, link.ID).Clicks, 3)

	// Concurrent forms spend the remaining clicks and no more, each nonce once.
	var mu sync.Mutex
	outcomes := map[gateway.Outcome]int{}
	var posting sync.WaitGroup
	for i := range 12 {
		posting.Go(func() {
			spent, err := s.Spend(t.Context(), gateway.Attempt{ID: link.ID, Method: "POST"},
				gateway.Spending{Nonce: fmt.Sprint("nonce-", i%4), Window: window})
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				t.Errorf("spend: %v", err)
			}
			outcomes[spent.Outcome]++
		})
	}
	posting.Wait()
	equal(t, "redirected", outcomes[gateway.OutcomeRedirected], 2)
	equal(t, "all", outcomes[gateway.OutcomeRedirected]+outcomes[gateway.OutcomeResumed]+outcomes[gateway.OutcomeUsedUp],
		12)
	used := get(t, s, link.ID)
	equal(t, "state", used.State, gateway.StateUsedUp)
	equal(t, "clicks", used.Clicks, 5)
	equal(t, "expires", used.ExpiresAt, link.ExpiresAt)

	unlimited := newLink(t)
	unlimited.Confirm = true
	restrict(t, s, unlimited)
	for range 3 {
		equal(t, "confirmed", spend(t, s, unlimited.ID, "").Outcome, gateway.OutcomeRedirected)
	}
	equal(t, "clicks of an unlimited link", get(t, s, unlimited.ID).Clicks, 3)
	equal(t, "its state", get(t, s, unlimited.ID).State, gateway.StateActive)

	short := restrict(t, s, limited(t, 1), time.Minute)
	spent := spend(t, s, short.ID, "")
	if until := spent.GrantEnd; until.After(short.ExpiresAt) {
		t.Errorf("the grant ends %v after the link", until.Sub(short.ExpiresAt))
	}
	if _, err := s.Spend(t.Context(), gateway.Attempt{ID: create(t, s, newLink(t)).ID, Method: "POST"},
		gateway.Spending{Window: window}); !errors.Is(err, gateway.ErrUnavailable) {
		t.Errorf("spend of a plain link: %v", err)
	}
	equal(t, "a miss", spend(t, s, newID(t), "").Outcome, gateway.OutcomeNotFound)
}

// testUseUp keeps a used-up link open for grants until it is revoked.
func testUseUp(t *testing.T, g target) {
	t.Helper()
	s := open(t, g.client)
	link := restrict(t, s, limited(t, 1))
	equal(t, "last click", spend(t, s, link.ID, "page").Outcome, gateway.OutcomeRedirected)
	granted := attempt(t, s, gateway.Attempt{ID: link.ID, Method: "GET", Grant: "one"})
	equal(t, "with a grant", []any{granted.Outcome, granted.UsedUp}, []any{gateway.Outcome(""), true})
	if left := granted.Permission.Remaining; left > window || left < window-time.Minute {
		t.Errorf("%v left for grants, want about %v", left, window)
	}
	equal(t, "without", attempt(t, s, gateway.Attempt{ID: link.ID, Method: "GET", Page: true}).Outcome,
		gateway.OutcomeUsedUp)
	equal(t, "a HEAD", attempt(t, s, gateway.Attempt{ID: link.ID, Method: "HEAD"}).Outcome, gateway.OutcomeUsedUp)
	equal(t, "its page again", spend(t, s, link.ID, "page").Outcome, gateway.OutcomeResumed)
	equal(t, "another page", spend(t, s, link.ID, "other").Outcome, gateway.OutcomeUsedUp)
	active, err := s.Active(t.Context())
	if err != nil || active != 0 {
		t.Errorf("%d links are active, %v; want none", active, err)
	}

	revoked, changed, err := s.Revoke(t.Context(), link.ID, "mistake", operator())
	if err != nil || !changed || revoked.State != gateway.StateUsedUp {
		t.Errorf("revoke: %s, changed %v, %v; want used_up, changed", revoked.State, changed, err)
	}
	equal(t, "its grants", attempt(t, s, gateway.Attempt{ID: link.ID, Method: "GET", Grant: "one"}).Outcome,
		gateway.OutcomeUsedUp)
	equal(t, "its page", spend(t, s, link.ID, "page").Outcome, gateway.OutcomeUsedUp)
	if _, changed, err := s.Revoke(t.Context(), link.ID, "", operator()); err != nil || changed {
		t.Errorf("revoke again: changed %v, %v", changed, err)
	}
	list, err := s.Events(t.Context(), link.ID, "", 50)
	if err != nil || len(list.Events) == 0 {
		t.Fatalf("events: %v", err)
	}
	count := map[gateway.EventKind]int{}
	for _, e := range list.Events {
		count[e.Kind]++
	}
	equal(t, "events", count, map[gateway.EventKind]int{
		gateway.EventIssued: 1, gateway.EventRedirected: 2, gateway.EventRefused: 4, gateway.EventRevoked: 1,
	})
}

func testTries(t *testing.T, g target) {
	t.Helper()
	s := open(t, g.client)
	link := newLink(t)
	link.Passphrase = true
	restrict(t, s, link)
	reserve := func(clientKey string) gateway.PassphraseAttempt {
		t.Helper()
		tried, err := s.ReserveAttempt(t.Context(), link.ID, clientKey)
		if err != nil {
			t.Fatalf("try: %v", err)
		}
		return tried
	}
	refused := func(clientKey string, about time.Duration) {
		t.Helper()
		tried := reserve(clientKey)
		if tried.Reserved != "" || tried.Wait <= about-30*time.Second || tried.Wait > about {
			t.Errorf("%s: reserved %q, wait %v; want to wait for %v", clientKey, tried.Reserved, tried.Wait, about)
		}
	}
	for i := range 5 {
		tried := reserve("client-a")
		if tried.Reserved == "" {
			t.Fatal("one of the first five tries was refused")
		}
		equal(t, "tries that are left", tried.Left, 4-i)
	}
	refused("client-a", 15*time.Minute)
	right := reserve("client-b")
	for range 3 { // A right passphrase releases its attempt.
		if err := s.ReleaseAttempt(t.Context(), link.ID, right); err != nil {
			t.Fatalf("untry: %v", err)
		}
		right = reserve("client-b")
		equal(t, "tries that are left after a release", right.Left, 4)
	}
	for i := range 4 { // Here the limit of the link leaves fewer tries than that of the client.
		tried := reserve("client-c")
		if tried.Reserved == "" {
			t.Fatal("a try within ten was refused")
		}
		equal(t, "tries that the link has left", tried.Left, 3-i)
	}
	refused("client-c", 15*time.Minute)
	refused("client-d", time.Minute) // This client has not failed yet.
	if err := s.ReleaseAttempt(t.Context(), link.ID, right); err != nil {
		t.Fatalf("untry: %v", err)
	}
	if tried := reserve("client-d"); tried.Reserved == "" || tried.Left != 0 {
		t.Errorf("a client that has made no try: reserved %q, %d left", tried.Reserved, tried.Left)
	}
	refused("client-d", 15*time.Minute)
}
