//go:build system

package system

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"keyhole/gateway/api"
	"keyhole/gateway/objects/s3test"
)

// slowAnswer is how long the storage of TestRevokedWhileTheStorageIsSlow keeps a
// click waiting at least: longer than a click may take without being checked again.
const slowAnswer = 500 * time.Millisecond

// TestRevokedWhileTheStorageIsSlow revokes links while their clicks wait for the
// storage. No click that was under way is redirected after the acknowledgment.
func TestRevokedWhileTheStorageIsSlow(t *testing.T) {
	t.Parallel()
	server := s3test.Start(t, "reports", "exports")
	front, behind := startFront(t, server)
	in := installOver(t, behind)
	in.put(t, "file.txt", []byte("content"))
	g := in.start("KEYHOLE_REDIRECT_OBJECT_CHECK=0s")
	c := unfollowed()
	defer c.CloseIdleConnections()
	for _, tt := range slowClicks() {
		t.Run(tt.name, func(t *testing.T) { tt.revoke(t, g, front, c) })
	}
}

// slowClick is a click that a slow storage keeps waiting, and its event after the link was
// revoked meanwhile.
type slowClick struct {
	name    string
	request api.IssueRequest
	click   func(ctx context.Context, c *http.Client, link api.Link, cookie string) (answer, error)
	event   string
}

// slowClicks are the ways to click.
func slowClicks() []slowClick {
	return []slowClick{
		{"GET", api.IssueRequest{}, func(ctx context.Context, c *http.Client, link api.Link, _ string) (answer, error) {
			return ask(ctx, c, http.MethodGet, link.URL, nil, "Accept", "application/json")
		}, "failed revoked"},
		{"HEAD", api.IssueRequest{}, func(ctx context.Context, c *http.Client, link api.Link, _ string) (answer, error) {
			return ask(ctx, c, http.MethodHead, link.URL, nil, "Accept", "application/json")
		}, "failed revoked"},
		{
			"GET with a grant",
			api.IssueRequest{MaxClicks: new(int64(3))},
			func(ctx context.Context, c *http.Client, link api.Link, cookie string) (answer, error) {
				return ask(ctx, c, http.MethodGet, link.URL, nil, "Accept", "application/json", "Cookie", cookie)
			},
			"refused revoked",
		},
		{
			"POST",
			api.IssueRequest{MaxClicks: new(int64(3))},
			func(ctx context.Context, c *http.Client, link api.Link, _ string) (answer, error) {
				return post(ctx, c, link.URL, confirmation(""), "Accept", "application/json")
			},
			"refused revoked",
		},
	}
}

// revoke issues a link, clicks it, and revokes it while the click waits for the storage.
func (tt *slowClick) revoke(t *testing.T, g *instance, front *storageFront, c *http.Client) {
	t.Helper()
	front.answerWith(nil)
	link := issue(t, g, tt.request)
	cookie := ""
	if strings.Contains(tt.name, "grant") {
		first, err := post(t.Context(), c, link.URL, confirmation(""))
		if err != nil || first.status != http.StatusSeeOther {
			t.Fatalf("the first click: %d, %v", first.status, err)
		}
		cookie, _, _ = strings.Cut(first.header.Get("Set-Cookie"), ";")
	}
	arrived, release := make(chan time.Time, 1), make(chan struct{})
	front.answerWith(func(_ http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodHead && strings.HasSuffix(r.URL.Path, "/file.txt") {
			arrived <- time.Now()
			<-release
		}
		return false
	})
	type result struct {
		answer
		err error
	}
	clicked := make(chan result, 1)
	go func() {
		a, err := tt.click(t.Context(), c, link, cookie)
		clicked <- result{a, err}
	}()
	begun := <-arrived
	_, err := g.client.Revoke(t.Context(), link.ID, "test")
	<-time.After(time.Until(begun.Add(slowAnswer))) // the storage is slow
	close(release)
	if err != nil {
		t.Fatalf("revoke: %v", err)
	}
	got := <-clicked
	if got.err != nil || got.status != http.StatusGone || got.location != "" {
		t.Errorf("after the revocation was acknowledged: %d, to a URL: %v, %v",
			got.status, got.location != "", got.err)
	}
	eventually(t, "the event of the click", func() error { return hasEvent(t, g, link.ID, tt.event) })
}

// A confirmed click of a link that stays valid is delivered however slow the storage
// is, and counted once.
func TestConfirmedWhileTheStorageIsSlow(t *testing.T) {
	server := s3test.Start(t, "reports", "exports")
	front, behind := startFront(t, server)
	in := installOver(t, behind)
	in.put(t, "file.txt", []byte("content"))
	g := in.start("KEYHOLE_REDIRECT_OBJECT_CHECK=0s")
	c := unfollowed()
	defer c.CloseIdleConnections()
	link := issue(t, g, api.IssueRequest{MaxClicks: new(int64(3))})
	front.answerWith(func(_ http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodHead && strings.HasSuffix(r.URL.Path, "/file.txt") {
			<-time.After(200 * time.Millisecond) // more than the store is not asked again after
		}
		return false
	})
	got, err := post(t.Context(), c, link.URL, confirmation(""), "Accept", "application/json")
	if err != nil || got.status != http.StatusSeeOther || got.location == "" {
		t.Fatalf("got %d, to a URL: %v, %v", got.status, got.location != "", err)
	}
	after, err := g.client.Show(t.Context(), link.ID)
	if err != nil || after.Clicks != 1 {
		t.Errorf("%d clicks, %v; want 1", after.Clicks, err)
	}
}

// hasEvent returns an error unless the link has an event of that kind and outcome.
func hasEvent(t *testing.T, g *instance, id, want string) error {
	t.Helper()
	page, err := g.client.Events(t.Context(), id, "", 50)
	if err != nil {
		return err
	}
	for _, e := range page.Events {
		if e.Kind+" "+e.Outcome == want {
			return nil
		}
	}
	return fmt.Errorf("no event %q in %+v", want, page.Events)
}
