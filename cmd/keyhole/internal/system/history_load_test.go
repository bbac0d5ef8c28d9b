//go:build system

package system

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"keyhole/gateway/api"
	"keyhole/gateway/client"
)

// recorder drives links through their lives, and records and checks what happens.
type recorder struct {
	gateways []*instance
	http     *http.Client
	begun    time.Time

	operations atomic.Int64
	redirects  atomic.Int64
	revoked    atomic.Int64 // acknowledged, of links under clicks
	spent      atomic.Int64 // limited links spent to their end
	links      atomic.Int64
	late       chan struct{} // a place for each that is clicked on after its end

	mu         sync.Mutex
	answers    map[string]map[string]int // by kind of operation
	violations []string
	tell       func(violation string) // at once; nil: nobody
}

// newRecorder makes a recorder over gateways.
func newRecorder(gateways []*instance) *recorder {
	return &recorder{
		gateways: gateways, begun: time.Now(), answers: map[string]map[string]int{}, late: make(chan struct{}, maxLate),
		http: &http.Client{
			Transport:     &http.Transport{MaxIdleConnsPerHost: 256, MaxIdleConns: 1024},
			Timeout:       5 * time.Second,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
}

// life is one link that is lived by one client and clicked by others.
type life struct {
	*recorder
	mu      sync.Mutex
	history linkHistory
	tokens  string // path of the URL
	label   string // that the link alone has
}

// record runs one operation, of which do returns the answer, and keeps it.
func (l *life) record(client int, kind, nonce string, do func(e *event) string) string {
	e := event{client: client, kind: kind, nonce: nonce, call: time.Since(l.begun)}
	e.answer = do(&e)
	e.ret = time.Since(l.begun)
	l.mu.Lock()
	l.history.events = append(l.history.events, e)
	l.mu.Unlock()
	l.operations.Add(1)
	if e.answer == "redirected" {
		l.redirects.Add(1)
	}
	l.recorder.mu.Lock()
	if l.answers[kind] == nil {
		l.answers[kind] = map[string]int{}
	}
	l.answers[kind][e.answer]++
	l.recorder.mu.Unlock()
	return e.answer
}

// at returns the address of the link at one of the gateways.
func (l *life) at(i int) string { return l.gateways[i%len(l.gateways)].public + l.tokens }

// click asks for the link.
func (l *life) click(ctx context.Context, who int) string {
	return l.record(who, opClick, "", func(*event) string {
		return outcomeOfAnswer(ask(ctx, l.http, http.MethodGet, l.at(who), nil, "Accept", "application/json"))
	})
}

// post sends the form, of a page where nonce is one.
func (l *life) post(ctx context.Context, who int, nonce string) string {
	return l.record(who, opPost, nonce, func(*event) string {
		return outcomeOfAnswer(post(ctx, l.http, l.at(who), confirmation(nonce), "Accept", "application/json"))
	})
}

// outcomeOfAnswer reads what came of a click.
func outcomeOfAnswer(a answer, err error) string {
	switch {
	case err != nil, a.status == http.StatusServiceUnavailable:
		return answerUnknown
	case a.status == http.StatusFound, a.status == http.StatusSeeOther:
		return "redirected"
	}
	var problem api.Problem
	if json.Unmarshal([]byte(a.body), &problem) != nil {
		return fmt.Sprint("status ", a.status)
	}
	return problem.Code
}

// operate is one operation of the operator API.
func (l *life) operate(ctx context.Context, who int, kind string,
	do func(context.Context, *client.Client) (api.Link, error),
) string {
	return l.record(who, kind, "", func(e *event) string {
		ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
		defer cancel()
		link, err := do(ctx, l.gateways[who%len(l.gateways)].client)
		var refused *client.Error
		switch {
		case err == nil:
			e.expires = link.ExpiresAt.Sub(l.begun)
			return answerOK
		case !errors.As(err, &refused), refused.Code == "unavailable", refused.Code == "not_confirmed":
			return answerUnknown
		}
		return refused.Code
	})
}

// issue issues the link; false where that is not known to have been done.
func (l *life) issue(ctx context.Context, who int, r api.IssueRequest) bool {
	r.Bucket, r.Key, r.Pin = "reports", "file.txt", "none"
	l.label = strconv.FormatUint(rand.Uint64(), 36)
	r.Labels = map[string]string{"history": l.label}
	var issued api.Link
	answer := l.operate(ctx, who, opIssue, func(ctx context.Context, c *client.Client) (api.Link, error) {
		var err error
		issued, err = c.Issue(ctx, r)
		return issued, err
	})
	if answer != answerOK {
		return false
	}
	l.history.id = issued.ID
	l.tokens = issued.URL[strings.LastIndexByte(issued.URL, '/'):]
	l.links.Add(1)
	return true
}

// revoke revokes the link, by its id or by its label, until that is acknowledged.
func (l *life) revoke(ctx context.Context, who int) {
	kind, do := opRevoke, func(ctx context.Context, c *client.Client) (api.Link, error) {
		return c.Revoke(ctx, l.history.id, "")
	}
	if rand.N(2) == 0 {
		kind, do = opBulk, l.revokeByLabel
	}
	for ctx.Err() == nil {
		answer := l.operate(ctx, who, kind, do)
		if answer == answerOK {
			l.revoked.Add(1)
			return
		}
		pauseFor(ctx, 20*time.Millisecond)
	}
}

// revokeByLabel revokes all links with the link's label, which are one.
func (l *life) revokeByLabel(ctx context.Context, c *client.Client) (api.Link, error) {
	label := "history=" + l.label
	answer, err := c.RevokeAll(ctx, api.RevocationRequest{Label: &label})
	if err == nil && !answer.Done {
		err = fmt.Errorf("a bulk revocation of one link is not done: %+v", answer)
	}
	return api.Link{}, err
}

// change changes the link, once.
func (l *life) change(ctx context.Context, who int, kind string, r api.ChangeRequest) string {
	return l.operate(ctx, who, kind, func(ctx context.Context, c *client.Client) (api.Link, error) {
		return c.Change(ctx, l.history.id, r)
	})
}

// maxLate is how many links are still clicked on, now and then, after their end.
const maxLate = 200

// work lives one link after the other until ctx ends.
func (r *recorder) work(ctx context.Context, worker int) {
	var late sync.WaitGroup
	defer late.Wait()
	for ctx.Err() == nil {
		l := &life{recorder: r}
		switch n := rand.N(10); {
		case n < 5:
			l.revokedUnderClicks(ctx, worker)
			select {
			case r.late <- struct{}{}:
				late.Go(func() {
					l.clickedLater(ctx, worker)
					<-r.late
					r.checkHistory(ctx, l)
				})
				continue
			default: // enough are
			}
		case n < 9:
			l.spentToTheEnd(ctx, worker)
		default:
			l.changedAndExpired(ctx, worker)
		}
		r.checkHistory(ctx, l)
	}
}

// drive lets clients live links until ctx ends; wait returns when they have ended.
func (r *recorder) drive(ctx context.Context) (wait func()) {
	var working sync.WaitGroup
	for worker := range historyWorkers {
		working.Go(func() { r.work(ctx, worker) })
	}
	return working.Wait
}

// checkHistory checks a link's history. A history that was cut off in the middle proves
// nothing.
func (r *recorder) checkHistory(ctx context.Context, l *life) {
	if ctx.Err() != nil {
		return
	}
	if err := l.history.check(); err != nil {
		r.mu.Lock()
		defer r.mu.Unlock()
		violation := fmt.Sprintf("%v, checked %s after the beginning\n%s", err, time.Since(r.begun), &l.history)
		r.violations = append(r.violations, violation)
		if r.tell != nil {
			r.tell(violation)
		}
	}
}

// clickedLater clicks on a link that was revoked for some seconds, over which a
// failover may come.
func (l *life) clickedLater(ctx context.Context, worker int) {
	for n := 0; n < 12 && ctx.Err() == nil && l.tokens != ""; n++ {
		pauseFor(ctx, 500*time.Millisecond)
		l.click(ctx, worker+n)
	}
}

// clickers is how many clients click on one link at the same time.
const clickers = 3

// revokedUnderClicks issues a plain link and revokes it while it is clicked.
func (l *life) revokedUnderClicks(ctx context.Context, worker int) {
	if !l.issue(ctx, worker, api.IssueRequest{ExpiresIn: "20m"}) {
		return
	}
	var clicking sync.WaitGroup
	halfway, revoked := make(chan struct{}), make(chan struct{})
	var once sync.Once
	for i := range clickers {
		clicking.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				l.click(ctx, worker+i)
				if n == 6 {
					once.Do(func() { close(halfway) })
				}
				select {
				case <-revoked: // two more that begin after it
					l.click(ctx, worker+i)
					l.click(ctx, worker+i+1)
					return
				default:
					if n > 8 { // an outage may take a while
						pauseFor(ctx, 20*time.Millisecond)
					}
				}
			}
		})
	}
	select {
	case <-halfway:
	case <-ctx.Done():
	}
	l.revoke(ctx, worker+1)
	close(revoked)
	clicking.Wait()
}

// spentToTheEnd issues a limited link and posts its form from several clients until
// it is used up. Some send pages, and send them again where they got no answer.
func (l *life) spentToTheEnd(ctx context.Context, worker int) {
	most := int64(1 + rand.N(4))
	l.history.max = most
	if !l.issue(ctx, worker, api.IssueRequest{ExpiresIn: "20m", MaxClicks: &most}) {
		return
	}
	var posting sync.WaitGroup
	var ended atomic.Bool
	for i := range clickers {
		posting.Go(func() {
			nonce := ""
			for n := 0; n < 6 && ctx.Err() == nil; n++ {
				if nonce == "" && i == 0 {
					nonce = l.page(ctx, worker+i)
				}
				switch l.post(ctx, worker+i, nonce) {
				case "used_up":
					ended.Store(true)
					return
				case answerUnknown:
					pauseFor(ctx, 50*time.Millisecond) // the same page again
				default:
					nonce = ""
				}
			}
		})
	}
	posting.Wait()
	if ended.Load() {
		l.spent.Add(1)
	}
	if rand.N(5) == 0 {
		l.revoke(ctx, worker)
		l.post(ctx, worker+1, "")
	}
}

// page opens the confirmation page and returns its nonce, empty where none is shown.
func (l *life) page(ctx context.Context, who int) (nonce string) {
	l.record(who, opPage, "", func(*event) string {
		a, err := ask(ctx, l.http, http.MethodGet, l.at(who), nil, "Accept", "text/html, application/json;q=0.5")
		if found := nonceIn.FindStringSubmatch(a.body); err == nil && found != nil {
			nonce = found[1]
			return "page"
		}
		if err == nil && a.status == http.StatusGone {
			return "ended"
		}
		return outcomeOfAnswer(a, err)
	})
	return nonce
}

// changedAndExpired pauses, resumes and shortens a plain link under clicks, and
// clicks until it has expired.
func (l *life) changedAndExpired(ctx context.Context, worker int) {
	if !l.issue(ctx, worker, api.IssueRequest{ExpiresIn: "20m"}) {
		return
	}
	some := func(n int) {
		var clicking sync.WaitGroup
		for i := range clickers {
			clicking.Go(func() {
				for range n {
					l.click(ctx, worker+i)
				}
			})
		}
		clicking.Wait()
	}
	some(1)
	var changing sync.WaitGroup
	changing.Go(func() { l.change(ctx, worker, opPause, api.ChangeRequest{Paused: new(true)}) })
	some(2)
	changing.Wait()
	some(1)
	l.change(ctx, worker+1, opUnlock, api.ChangeRequest{Paused: new(false)})
	some(1)
	for range 5 {
		if l.change(ctx, worker+2, opExpire, api.ChangeRequest{ExpiresIn: new("1s")}) == answerOK {
			break
		}
		pauseFor(ctx, 100*time.Millisecond)
	}
	for n := 0; n < 20 && ctx.Err() == nil; n++ {
		if l.click(ctx, worker+n) == "expired" {
			break
		}
		pauseFor(ctx, 70*time.Millisecond)
	}
	some(1)
}
