package main

import (
	"net/http"
	"slices"
	"testing"
)

// titlesOn returns the names of the rows on a Redis of a kind.
func titlesOn(kind string) (names []string) {
	for _, r := range rows() {
		if r.redis == kind {
			names = append(names, r.name)
		}
	}
	return names
}

// TestReferenceIsFirst expects the reference before all rows that are compared with it, on a
// Redis without persistence.
func TestReferenceIsFirst(t *testing.T) {
	if first := rows()[0]; !first.reference || first.floor != floorGet || first.redis != inMemory {
		t.Errorf("the first row is %+v", first)
	}
}

// TestRowsOfEachRedis repeats on an append-only file the rows that ask Redis, and on a
// cluster the plain links, with 1, 2 and 4 gateways, and their floor.
func TestRowsOfEachRedis(t *testing.T) {
	want := slices.DeleteFunc(titlesOn(inMemory), func(name string) bool {
		return name == "echo, redirect alone" || name == "Keyhole, 404 of what is no token"
	})
	if got := titlesOn(appendOnly); !slices.Equal(got, want) || len(got) != len(titlesOn(inMemory))-2 {
		t.Errorf("on an append-only file: %q, want %q", got, want)
	}
	want = []string{"echo + GET", "Keyhole, pin none", "Keyhole, pin none, 2 gateways", "Keyhole, pin none, 4 gateways"}
	if got := titlesOn(clusterOf3); !slices.Equal(got, want) {
		t.Errorf("on a cluster: %q, want %q", got, want)
	}
	gateways := map[string]int{want[2]: 2, want[3]: 4}
	for _, r := range rows() {
		if r.gateways != gateways[r.name] {
			t.Errorf("%s has %d gateways", r.title(), r.gateways)
		}
	}
}

// TestSetDefaults keeps what a row states.
func TestSetDefaults(t *testing.T) {
	for _, tt := range []struct{ row, want row }{
		{row{}, row{redis: inMemory, method: http.MethodGet, status: http.StatusFound, check: "5s"}},
		{
			row{floor: floorGet},
			row{
				redis: inMemory, floor: floorGet, links: linksOfFloors, method: http.MethodGet, status: http.StatusFound,
				check: "5s",
			},
		},
		{
			row{links: linksLimited, method: http.MethodPost, status: http.StatusSeeOther, check: "0s"},
			row{redis: inMemory, links: linksLimited, method: http.MethodPost, status: http.StatusSeeOther, check: "0s"},
		},
	} {
		tt.row.setDefaults()
		if tt.row != tt.want {
			t.Errorf("got %+v, want %+v", tt.row, tt.want)
		}
	}
}
