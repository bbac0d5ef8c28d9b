package console

import (
	"context"
	"crypto/sha256"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"keyhole/gateway"
)

// The budget of a page with all that it loads, in bytes on the wire.
const budget = 100_000

// A page with all that it loads fits into the budget, also with long lists.
func TestBudget(t *testing.T) {
	t.Parallel()
	b := newBench(t, func(o *Options) {
		o.Health = func(context.Context) (HealthReport, error) { return longReport(), nil }
	})
	var keys []string
	for i := range objectsLimit {
		key := fmt.Sprintf("2026/%02d/quarterly-report-%x.pdf", i%12, sha256.Sum256([]byte{byte(i)}))
		keys = append(keys, key)
		if i < linksLimit {
			b.issue(t, func(r *gateway.IssueRequest) {
				r.Key, r.Note = key,
					strings.Repeat("Figures of the quarter. ", 4)
			})
		}
	}
	b.storage.keys = keysOf(keys...)
	id := b.issue(t, nil)
	for range eventsLimit {
		b.click(t, id.Token)
	}
	c := b.signedIn(t, opsKey)
	for _, path := range []string{
		"/console/sign-in", "/console/help", "/console/objects", "/console/objects?bucket=reports", sharePath,
		"/console/links", linkPath(id.Link.ID), "/console/nothing", "/console/audit", "/console/audit?follow=1",
		"/console/audit?kind=lost", "/console/health",
	} {
		total, page, files := c.wire(path)
		checkBudget(t, path, page, files, total)
	}
	_, _, files := c.wire("/console/links")
	for _, p := range formPages(c, keys, id.Link.ID) {
		a := c.do(http.MethodPost, p.path, p.form, "Accept-Encoding", "gzip", "Sec-Fetch-Site", "same-origin")
		if a.status != http.StatusOK {
			t.Errorf("%s: %d", p.name, a.status)
		}
		checkBudget(t, p.name, len(a.text), files, len(a.text)+files)
	}
	// Names of 1,024 bytes in every row are rare, but must not cost a multiple.
	for i := range keys {
		keys[i] = strings.Repeat(keys[i], 20)[:1024]
	}
	b.storage.keys = keysOf(keys...)
	if total, page, _ := c.wire("/console/objects?bucket=reports"); total > budget {
		t.Errorf("names of 1,024 bytes: %d bytes, of which the page has %d", total, page)
	}
}

// checkBudget logs and checks the bytes of a page.
func checkBudget(t *testing.T, name string, page, files, total int) {
	t.Helper()
	t.Logf("%-60.60s page %6d, files %6d, together %6d bytes", name, page, files, total)
	if total > budget {
		t.Errorf("%s: %d bytes, the budget is %d", name, total, budget)
	}
}

// formPages returns the pages that answer a form, the longest that the pages of the console
// lead to. They are not compressed.
func formPages(c *client, keys []string, id gateway.ID) []scaledPage {
	selection := url.Values{"storage": {"main"}, "bucket": {"reports"}, "key": keys, "preset": {"business"}}
	one := url.Values{"storage": {"main"}, "bucket": {"reports"}, "key": keys[:1], "preset": {"business"}}
	selected := url.Values{}
	links := c.get("/console/links")
	for _, n := range links.all("input") {
		if attribute(n, "name") == "id" {
			selected.Add("id", attribute(n, "value"))
		}
	}
	if len(selected["id"]) != linksLimit {
		c.t.Errorf("%d links are selected, want %d", len(selected["id"]), linksLimit)
	}
	return []scaledPage{
		{name: "a new link", path: "/console/share", form: one},
		{name: "the form of a selection", path: "/console/share/selection", form: selection},
		{name: "the links of a selection", path: "/console/share/batch", form: with(selection, "make_passphrase", "1")},
		{name: "the question about one link", path: linkPath(id) + "/revoke", form: url.Values{}},
		{name: "the question about a selection", path: "/console/revocations", form: selected},
		{
			name: "the question about a filter", path: "/console/revocations",
			form: url.Values{"what": {"filter"}, "bucket": {"reports"}},
		},
		{name: "paused links", path: "/console/links/pause", form: selected},
	}
}

// longReport returns a report about many buckets.
func longReport() HealthReport {
	report := HealthReport{Revision: "0123456789ab", GoVersion: "go1.26"}
	for i := range 200 {
		report.Findings = append(report.Findings, Finding{
			Subject: fmt.Sprintf("main:bucket-%d", i/10), Check: fmt.Sprintf("check-%d", i%10), Level: LevelWarning,
			Message: fmt.Sprintf("the storage answers, but setting %d is weaker than recommended", i), Do: "change the setting",
		})
	}
	return report
}

// wire returns the bytes on the wire of a page and of the files that it loads.
func (c *client) wire(path string) (total, page, files int) {
	c.t.Helper()
	a := c.do(http.MethodGet, path, nil, "Accept-Encoding", "gzip")
	page = len(a.text)
	a = c.get(path)
	var loaded []string
	for _, name := range []string{"link", "script", "img", "use"} {
		for _, n := range a.all(name) {
			address, _, _ := strings.Cut(attribute(n, "href")+attribute(n, "src"), "#")
			if address != "" && !slices.Contains(loaded, address) {
				loaded = append(loaded, address)
			}
		}
	}
	for _, address := range loaded {
		file := c.do(http.MethodGet, address, nil, "Accept-Encoding", "gzip")
		if file.status != http.StatusOK {
			c.t.Errorf("%s loads %q: %d", path, address, file.status)
		}
		files += len(file.text)
	}
	return page + files, page, files
}
