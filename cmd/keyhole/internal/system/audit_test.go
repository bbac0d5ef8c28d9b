//go:build system

package system

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"syscall"
	"testing"

	"keyhole/gateway/api"
)

// TestAuditFollow follows the feed over what happens and over a restart of the
// service: every event comes, once, in its order.
func TestAuditFollow(t *testing.T) {
	t.Parallel()
	in := install(t)
	in.put(t, "file.txt", []byte("content"))
	g := in.start()
	share(t, g)
	follow := startProcess(t, binary, []string{"KEYHOLE_KEY=" + in.key, "KEYHOLE_OPERATOR_URL=" + g.operator},
		"audit", "--follow", "--since", "1h", "--json")
	events := func() []api.Event {
		var all []api.Event
		for line := range strings.Lines(follow.output.String()) {
			var e api.Event
			if json.Unmarshal([]byte(line), &e) == nil && e.Kind != "" {
				all = append(all, e)
			}
		}
		return all
	}
	arrived := func(n int) {
		t.Helper()
		eventually(t, fmt.Sprintf("%d events", n), func() error {
			if got := len(events()); got < n {
				return fmt.Errorf("%d events", got)
			}
			return follow.exited()
		})
	}
	arrived(1)
	link := share(t, g)
	for range 5 {
		get(t, http.MethodGet, link.URL)
	}
	arrived(7)
	address := strings.TrimPrefix(g.operator, "http://")
	if err := g.process.terminate(t, syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it to say that the service is away", func() error {
		if !strings.Contains(follow.output.String(), "still following") {
			return fmt.Errorf("it says %s", follow.output)
		}
		return nil
	})
	g.process = in.launch("KEYHOLE_OPERATOR_LISTEN=" + address).process
	g.waitReady(t)
	if _, err := g.client.Revoke(t.Context(), link.ID, "=cmd()\r\n\u202e"); err != nil {
		t.Fatal(err)
	}
	arrived(8)
	all := events()
	for i := range all[1:] {
		if all[i+1].Time.Before(all[i].Time) {
			t.Errorf("event %d is older than the one before it", i+1)
		}
	}
	last := all[len(all)-1]
	if len(all) != 8 || last.Kind != "revoked" || last.Reason != "=cmd()\r\n\u202e" ||
		strings.Contains(follow.output.String(), "\u202e") {
		t.Errorf("%d events, the last %+v", len(all), last)
	}
	if err := follow.terminate(t, syscall.SIGINT); err != nil {
		t.Errorf("it ends with %v", err)
	}
}

// TestEventsFollow follows one link: what happens to it, and to no other.
func TestEventsFollow(t *testing.T) {
	t.Parallel()
	in := install(t)
	in.put(t, "file.txt", []byte("content"))
	g := in.start()
	link, other := share(t, g), share(t, g)
	follow := startProcess(t, binary, []string{"KEYHOLE_KEY=" + in.key, "KEYHOLE_OPERATOR_URL=" + g.operator},
		"events", link.URL, "--follow", "--json")
	eventually(t, "a click to be shown", func() error {
		get(t, http.MethodGet, other.URL)
		get(t, http.MethodGet, link.URL)
		if !strings.Contains(follow.output.String(), `"kind":"redirected"`) {
			return errors.New("nothing is shown")
		}
		return follow.exited()
	})
	if _, err := g.client.Revoke(t.Context(), link.ID, "enough"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the revocation to be shown", func() error {
		if !strings.Contains(follow.output.String(), `"reason":"enough"`) {
			return errors.New("it is not")
		}
		return follow.exited()
	})
	if shown := follow.output.String(); strings.Contains(shown, other.ID) || strings.Contains(shown, link.URL) {
		t.Errorf("it shows\n%s", shown)
	}
	if err := follow.terminate(t, syscall.SIGINT); err != nil {
		t.Errorf("it ends with %v", err)
	}
}

// TestAddressesHashed keeps addresses hashed, the same over gateways, and nowhere
// as they are.
func TestAddressesHashed(t *testing.T) {
	in := install(t)
	in.put(t, "file.txt", []byte("content"))
	env := []string{"KEYHOLE_AUDIT_CLIENT_ADDRESS=hashed", "KEYHOLE_PUBLIC_TRUSTED_PROXIES=127.0.0.0/8"}
	one, other := in.start(env...), in.start(env...)
	link := issue(t, one, api.IssueRequest{Pin: "none", Allow: []string{"198.51.100.0/24"}})
	elsewhere := strings.Replace(link.URL, one.public, other.public, 1)
	for _, from := range []struct{ url, address string }{
		{link.URL, "198.51.100.77"}, {elsewhere, "198.51.100.77"}, {link.URL, "198.51.100.78"}, {link.URL, "203.0.113.9"},
	} {
		get(t, http.MethodGet, from.url, "X-Forwarded-For", from.address)
	}
	var page api.EventPage
	eventually(t, "the refusal to be recorded", func() (err error) { // The gateway records it after its answer.
		page, err = one.client.Events(t.Context(), link.ID, "", 50)
		if err == nil && len(page.Events) < 5 {
			err = fmt.Errorf("%d events", len(page.Events))
		}
		return err
	})
	if len(page.Events) != 5 {
		t.Fatalf("%d events", len(page.Events))
	}
	byAddress := map[string]int{}
	for _, e := range page.Events[:4] {
		if !strings.HasPrefix(e.Address, "hash:") || len(e.Address) != len("hash:")+16 {
			t.Errorf("an address is kept as %q", e.Address)
		}
		byAddress[e.Address]++
	}
	if len(byAddress) != 3 {
		t.Errorf("three addresses have the hashes %v", byAddress)
	}
	if page.Events[0].Outcome != "address_not_allowed" || page.Events[1].Outcome != "redirected" {
		t.Errorf("the limits look at hashes: %+v", page.Events[:2])
	}
	for where, text := range one.traces(t, in) {
		if strings.Contains(text, "198.51.100.7") || strings.Contains(text, "203.0.113.9") {
			t.Errorf("an address is in %s", where)
		}
	}
}
