package console

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"testing"

	"keyhole/gateway"
)

// pages returns every page of the console, with each filter that it offers.
func (s *scale) pages(b *testing.B) []scaledPage {
	b.Helper()
	return slices.Concat(s.objectPages(), s.listPages(b), s.linkPages(), s.bulkPages(b), s.auditPages(),
		[]scaledPage{
			{name: "sign-in", path: "/console/sign-in"},
			{name: "help", path: "/console/help"},
			{name: "health", path: "/console/health"},
			{name: "health/check", path: "/console/health", form: url.Values{}, other: http.StatusSeeOther},
		})
}

// objectPages returns the pages about objects: the lists, and the forms that share them.
func (s *scale) objectPages() []scaledPage {
	var neighbours, between []string
	for i := range objectsLimit {
		neighbours = append(neighbours, scaledKey(13+100*i))
		// The links of one folder, 10,000, are between each two of these objects.
		between = append(between, fmt.Sprintf("team-%02d.csv", i))
	}
	list := "/console/objects?bucket=reports"
	selection := url.Values{"storage": {"main"}, "bucket": {"reports"}, "key": neighbours, "preset": {"business"}}
	one := url.Values{"storage": {"main"}, "bucket": {"reports"}, "key": {scaledKey(13)}, "preset": {"business"}}
	share := "/console/share?storage=main&bucket=reports&key="
	return []scaledPage{
		{name: "objects/buckets", path: "/console/objects"},
		{name: "objects/folder", path: list + "&prefix=team-13%2F", keys: neighbours},
		{name: "objects/folders-between", path: list, keys: between},
		{name: "objects/popular", path: list, keys: []string{"popular.pdf"}},
		{name: "objects/search", path: list + "&search=quarterly", keys: neighbours},
		{name: "objects/scoped", path: "/console/objects?bucket=exports", keys: []string{"team/a"}, key: scopedKey},
		{name: "share/form", path: share + url.QueryEscape(scaledKey(13))},
		{name: "share/form-popular", path: share + "popular.pdf"},
		{name: "share/link", path: "/console/share", form: one},
		{name: "selection/form", path: "/console/share/selection", form: selection},
		{name: "selection/links", path: "/console/share/batch", form: selection},
	}
}

// listPages returns the list of links with each view and each filter, and searches.
func (s *scale) listPages(b *testing.B) []scaledPage {
	b.Helper()
	list := func(name, query string) scaledPage {
		return scaledPage{name: "links/" + name, path: "/console/links?" + query}
	}
	first := s.clients[opsKey].get("/console/links")
	pages := []scaledPage{
		list("view-live", ""),
		list("view-mine", "created_by=ops"),
		list("view-never-used", "used=never"),
		list("view-ends", "ends_within=24h"),
		list("any-state", "state=active,paused,not_yet,expired,revoked,used_up"),
		list("bucket", "bucket=reports"),
		list("other-bucket", "bucket=exports"),
		list("prefix", "bucket=reports&prefix=team-13%2F"),
		list("key", "bucket=reports&key="+url.QueryEscape(scaledKey(13))),
		list("key-of-10000", "bucket=reports&key=popular.pdf"),
		list("key-of-ended", "bucket=reports&key=ended.pdf"),
		list("creator", "created_by=alice-7"),
		list("label", "label=ticket%3DK-4711"),
		list("since", "since=1h"),
		list("ends-of-nothing", "ends_within=1m"),
		list("nothing", "used=never&created_by=alice-7&label=team%3D8"),
		{name: "links/second", path: first.link("Next page")},
		{name: "links/scoped", path: "/console/links", key: scopedKey},
		{
			name: "links/search", path: "/console/links", form: url.Values{"q": {s.used.String()[:8]}},
			other: http.StatusSeeOther,
		},
		{name: "links/search-found", path: "/console/links/" + s.used.String()[:8], other: http.StatusSeeOther},
		{name: "links/search-nothing", path: "/console/links/zzzzzzzz", other: http.StatusNotFound},
		{name: "links/csv", path: "/console/links.csv", file: true},
	}
	for _, state := range gateway.States() {
		pages = append(pages, list("state-"+string(state), "state="+string(state)))
	}
	return pages
}

// linkPages returns the pages of single links.
func (s *scale) linkPages() []scaledPage {
	return []scaledPage{
		{name: "link/used", path: linkPath(s.used)},
		{name: "link/popular", path: linkPath(s.popular)},
		{name: "link/ended-others", path: linkPath(s.ended)},
		{name: "link/revoke", path: linkPath(s.used) + "/revoke", form: url.Values{}},
		{
			name: "link/change-refused", path: linkPath(s.used) + "/change", form: url.Values{"max_clicks": {"many"}},
			other: http.StatusUnprocessableEntity,
		},
	}
}

// bulkPages returns the pages that change several links. Nothing is revoked: the pages ask
// first.
func (s *scale) bulkPages(b *testing.B) []scaledPage {
	b.Helper()
	page, err := s.service.List(b.Context(), admin(), gateway.ListQuery{Bucket: "reports", Prefix: "team-14/", Limit: 50})
	if err != nil {
		b.Fatalf("list: %v", err)
	}
	selected := url.Values{}
	for i := range page.Links {
		selected.Add("id", page.Links[i].ID.String())
	}
	question := func(name string, form url.Values) scaledPage {
		form.Set("what", "filter")
		return scaledPage{name: "revocations/" + name, path: "/console/revocations", form: form}
	}
	return []scaledPage{
		{name: "revocations/selection", path: "/console/revocations", form: selected},
		question("without-filter", url.Values{}),
		question("all", url.Values{"all": {"1"}}),
		question("key", url.Values{"bucket": {"reports"}, "key": {scaledKey(13)}}),
		question("count-prefix", url.Values{"bucket": {"reports"}, "prefix": {scaleHit}, "count": {"all"}}),
		question("prefix", url.Values{"bucket": {"reports"}, "prefix": {scaleHit}}),
		question("creator", url.Values{"created_by": {"alice-7"}}),
		question("nothing", url.Values{"used": {"never"}, "created_by": {"alice-7"}, "label": {"team=8"}}),
		{name: "pauses/50", path: "/console/links/pause", form: selected},
		{name: "pauses/undo", path: "/console/links/resume", form: selected},
	}
}

// auditPages returns the audit with each filter.
func (s *scale) auditPages() []scaledPage {
	var pages []scaledPage
	add := func(name, query string) {
		pages = append(pages, scaledPage{name: "audit/" + name, path: "/console/audit?" + query})
	}
	add("all", "")
	add("follow", "follow=1")
	for _, name := range []string{rangeMinutes, rangeToday, rangeWeek} {
		add("range-"+name, "range="+name)
	}
	add("until", "until=2026-01-01T00:00")
	for _, kind := range gateway.EventKinds() {
		add("kind-"+string(kind), "kind="+string(kind))
	}
	for _, outcome := range gateway.Outcomes() {
		add("outcome-"+string(outcome), "outcome="+string(outcome))
	}
	add("actor", "actor=alice-7")
	add("actor-of-nothing", "actor=bob")
	add("link", "link="+s.used.String())
	add("reference", "link="+s.used.String()[:8])
	add("bucket", "bucket=reports")
	add("other-bucket", "bucket=exports")
	add("prefix", "bucket=reports&prefix=team-13%2F")
	add("key", "bucket=reports&key="+url.QueryEscape(scaledKey(13)))
	add("key-of-10000", "bucket=reports&key=popular.pdf")
	add("label", "label=ticket%3DK-4711")
	add("label-of-10000", "label=team%3D13")
	add("address", "address=203.0.113.0%2F24")
	add("address-of-nothing", "address=2001:db8::1")
	return append(pages,
		scaledPage{name: "audit/scoped", path: "/console/audit", key: scopedKey},
		scaledPage{name: "audit/csv", path: "/console/audit.csv", file: true},
	)
}
