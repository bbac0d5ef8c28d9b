package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"
)

// consoleTimeout bounds one request of a console. At full load, a page waits for its turn
// among the clicks.
const consoleTimeout = 30 * time.Second

// consoles are operators who have signed in to a gateway, each with a list of links and the
// page of one link open. Both pages refresh themselves, as their script does.
type consoles struct {
	clients []*http.Client
	base    string        // the address of the operators' listener
	links   []string      // the paths of the pages of links, one for each client
	every   time.Duration // the interval of the script, as the page states it
}

// refreshEvery is the attribute of a page that states the interval of its refreshes in
// milliseconds, and linkPage the address of the page of a link in a list.
var (
	refreshEvery = regexp.MustCompile(`data-refresh-every="([0-9]+)"`)
	linkPage     = regexp.MustCompile(`href="(/console/links/[a-z2-7]{26})"`)
)

// listPath is the list of links.
const listPath = "/console/links"

// openConsoles signs n operators in to a gateway with the same key.
func openConsoles(ctx context.Context, operator, key string, n int) (*consoles, error) {
	c := &consoles{base: "http://" + operator}
	for i := range n {
		jar, err := cookiejar.New(nil)
		if err != nil {
			return nil, err
		}
		client := &http.Client{
			Jar: jar, Timeout: consoleTimeout, Transport: &http.Transport{},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		}
		c.clients = append(c.clients, client)
		form := strings.NewReader(url.Values{"key": {key}}.Encode())
		if _, err := c.do(ctx, client, http.MethodPost, "/console/sign-in", form, http.StatusSeeOther); err != nil {
			return nil, err
		}
		page, err := c.do(ctx, client, http.MethodGet, listPath, http.NoBody, http.StatusOK)
		if err != nil {
			return nil, err
		}
		if err := c.read(page, i); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// read takes the interval and the page of a link from the list of console i.
func (c *consoles) read(page string, i int) error {
	every, links := refreshEvery.FindStringSubmatch(page), linkPage.FindAllStringSubmatch(page, -1)
	if every == nil || len(links) == 0 {
		return errors.New("the list of links has no interval of its refreshes, or no link")
	}
	milliseconds, err := strconv.Atoi(every[1])
	if err != nil || milliseconds == 0 {
		return fmt.Errorf("the list of links refreshes every %q ms", every[1])
	}
	// Every page of a console states the same interval. The links differ, so that their pages are
	// not those of one record in Redis.
	c.every = time.Duration(milliseconds) * time.Millisecond
	c.links = append(c.links, links[i%len(links)][1])
	return nil
}

// do sends a request of a console as a browser does, and returns the page if its status is
// the wanted one.
func (c *consoles) do(
	ctx context.Context, client *http.Client, method, path string, body io.Reader, want int,
) (string, error) {
	request, err := http.NewRequestWithContext(ctx, method, c.base+path, body)
	if err != nil {
		return "", err
	}
	// The script marks its requests, so that they do not count as activity of the operator.
	// Without Sec-Fetch-Site, the console would refuse the sign-in as a request of another site.
	request.Header.Set("X-Keyhole-Refresh", "1")
	request.Header.Set("Sec-Fetch-Site", "same-origin")
	if method == http.MethodPost {
		request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	answer, err := client.Do(request)
	if err != nil {
		return "", err
	}
	defer func() { _ = answer.Body.Close() }()
	text, err := io.ReadAll(answer.Body)
	if err == nil && answer.StatusCode != want {
		err = fmt.Errorf("%s %s answered %s, not %d", method, path, answer.Status, want)
	}
	return string(text), err
}

// refresh refreshes the pages of all consoles during a call, evenly over their interval. It
// returns the number of pages and the error of the call, or of the first page that failed. A
// console does not wait for the pages of others.
func (c *consoles) refresh(ctx context.Context, during func() error) (pages int, _ error) {
	var refreshing sync.WaitGroup
	var once sync.Once
	var failed error
	over := make(chan struct{})
	// At full load, these goroutines take processor time of the load's core, not of the
	// gateway's, whose time the rows compare.
	refreshing.Go(func() {
		tick := time.NewTicker(c.every / time.Duration(2*len(c.clients)))
		defer tick.Stop()
		for {
			path, client := listPath, pages/2%len(c.clients)
			if pages%2 == 1 {
				path = c.links[client]
			}
			refreshing.Go(func() { // The timer of a browser does not wait for the page before either.
				if _, err := c.do(ctx, c.clients[client], http.MethodGet, path, http.NoBody, http.StatusOK); err != nil {
					once.Do(func() { failed = err })
				}
			})
			pages++
			select {
			case <-over:
				return
			case <-tick.C:
			}
		}
	})
	err := during()
	close(over)
	refreshing.Wait()
	return pages, errors.Join(err, failed)
}

// besideConsoles calls measure while the consoles of a subject refresh, if it has consoles.
func (s *subject) besideConsoles(ctx context.Context, measure func() error) error {
	if s.open == nil {
		return measure()
	}
	_, err := s.open.refresh(ctx, measure)
	return err
}
