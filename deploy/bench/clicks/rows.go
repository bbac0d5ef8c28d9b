package main

import (
	"cmp"
	"net/http"
	"slices"
	"strconv"
)

// The kinds of Redis that rows are measured on.
const (
	inMemory     = "in memory"
	appendOnly   = "AOF everysec" // it keeps an append-only file, synced every second
	clusterOf3   = "cluster of 3" // masters alone, in memory
	clusterNodes = 3
)

// The floors, as the floor program calls them: a redirect without Redis, a GET before it,
// GETs of several requests in one round trip, and a record with a signature for each click.
const (
	floorRedirect  = "redirect"
	floorGet       = "get"
	floorPipelined = "pipelined"
	floorObvious   = "obvious"
)

// The kinds of links that a gateway is asked for. Refused links have rows too, because
// scanners ask for far more of them than recipients do.
const (
	linksPlain     = "plain"     // pin none
	linksPinned    = "pinned"    // pin auto, in a bucket without versions: the ETag
	linksLimited   = "limited"   // max_clicks
	linksMalformed = "malformed" // no tokens
	linksUnknown   = "unknown"   // tokens that were never issued
	linksRevoked   = "revoked"   // pin none, and revoked after the issue
	linksOfFloors  = "of the floors"
)

// The headers of a browser that wants a page in German, on rows with page. Other rows name
// no form, as most programs do.
const (
	acceptPage     = "text/html"
	acceptLanguage = "de-DE,de;q=0.9,en;q=0.8"
)

// refuses reports whether every answer is a refusal.
func (r *row) refuses() bool { return r.status >= http.StatusBadRequest }

// row is one line of the table: a floor, or Keyhole with one kind of links.
type row struct {
	name      string
	redis     string // which kind
	floor     string // which floor; empty: Keyhole
	links     string // which links are asked for
	method    string
	status    int    // that each answer must have
	check     string // redirect.object_check
	warm      bool   // all links are opened before each round
	forwarded bool   // each request comes from another address
	page      bool   // a browser asks that wants German
	gateways  int    // how many share the load; 0: one
	before    bool   // the gateway of an earlier commit
	consoles  int    // how many signed-in consoles refresh meanwhile
	reference bool   // the floor by which the others' rate and ratio are taken
}

// title names the row with its Redis, as -only matches it and as errors name it.
func (r *row) title() string {
	return r.name + ", " + r.redis
}

// defaultCheck is redirect.object_check of rows that do not vary it: the default of the
// configuration.
const defaultCheck = "5s"

// rows lists the lines of the table: the reference first, then each on a Redis
// without persistence, on one with an append-only file, and some on a cluster.
func rows() []row {
	all := []row{
		{name: "echo + GET", floor: floorGet, reference: true},
		{name: "Keyhole, pin none", links: linksPlain},
		{name: "the obvious version", floor: floorObvious},
		{name: "echo + pipelined GET", floor: floorPipelined},
		{name: "Keyhole, pin auto, checked before", links: linksPinned, check: "60s", warm: true},
		{name: "Keyhole, pin auto, checked every 5 s", links: linksPinned},
		{name: "Keyhole, pin auto, checked at each click", links: linksPinned, check: "0s"},
		{name: "Keyhole, max_clicks, POST", links: linksLimited, method: http.MethodPost, status: http.StatusSeeOther},
		{name: "echo, redirect alone", floor: floorRedirect},
		{name: "Keyhole, 404 of what is no token", links: linksMalformed, status: http.StatusNotFound},
		{name: "Keyhole, 404 of an unknown token", links: linksUnknown, status: http.StatusNotFound, forwarded: true},
		{
			name: "Keyhole, 404 of an unknown token, as a page in German", links: linksUnknown,
			status: http.StatusNotFound, forwarded: true, page: true,
		},
		{
			name: "Keyhole, 410 of a revoked link, as a page", links: linksRevoked, status: http.StatusGone,
			forwarded: true, page: true,
		},
	}
	for i := range all {
		all[i].setDefaults()
	}
	return slices.Concat(all, onAppendOnly(all), onCluster(all))
}

// setDefaults sets the fields that most rows leave out. A link of Keyhole answers a GET with
// 302 and the form of a confirmation with 303.
func (r *row) setDefaults() {
	r.redis = inMemory
	if r.floor != "" {
		r.links = linksOfFloors
	}
	r.method = cmp.Or(r.method, http.MethodGet)
	r.status = cmp.Or(r.status, http.StatusFound)
	r.check = cmp.Or(r.check, defaultCheck)
}

// onAppendOnly returns the rows again, on a Redis with an append-only file. It leaves out
// rows that do not ask Redis.
func onAppendOnly(single []row) (all []row) {
	for _, r := range single {
		if r.floor == floorRedirect || r.links == linksMalformed {
			continue
		}
		r.redis, r.reference = appendOnly, false
		all = append(all, r)
	}
	return all
}

// onCluster returns the rows of plain links and their floor again, on a cluster. Keyhole
// is also measured with several gateways that share the load: each of them sends its own
// batches of clicks to the masters.
func onCluster(single []row) (all []row) {
	for _, r := range single {
		if r.floor != floorGet && r.links != linksPlain {
			continue
		}
		r.redis, r.reference = clusterOf3, false
		all = append(all, r)
		if r.floor != "" {
			continue
		}
		name := r.name
		for _, r.gateways = range []int{2, 4} {
			r.name = name + ", " + strconv.Itoa(r.gateways) + " gateways"
			all = append(all, r)
		}
	}
	return all
}
