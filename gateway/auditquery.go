package gateway

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// AuditQuery selects events of the feed. Empty fields select everything. Fields that are
// not empty are joined by AND.
type AuditQuery struct {
	Since time.Time // only events at or after this time
	Until time.Time // only events before this time
	// FromNow begins at the current time of Redis, because the clock of the client may
	// differ. It needs Oldest, and excludes Since.
	FromNow bool
	Kind    EventKind
	Link    ID // zero: of all links
	Actor   string
	Outcome Outcome
	Address AddressFilter
	// The filters of the link's object and labels, as in a ListQuery. The link has to have
	// them at the time of the request. They exclude the events of links whose retention is
	// over.
	Bucket  string
	Buckets []string // to search for Prefix or Key if Bucket is empty
	Prefix  string
	Key     string
	Labels  map[string]string
	// Oldest returns the oldest events first. Such a feed has no end: every page has a
	// Next. A page without More contains the latest event.
	Oldest bool
	// Match selects the objects in the operator's scope. It excludes events of links
	// whose retention is over, because their objects are unknown; nil: all events.
	Match  func(ObjectRef) bool
	Cursor string
	Limit  int
}

// OfObjects reports whether the query selects events by the object or labels of their link.
func (q *AuditQuery) OfObjects() bool {
	return q.Bucket+q.Prefix+q.Key != "" || len(q.Labels) > 0
}

// Selects reports whether the filters that need no link select an event.
func (q *AuditQuery) Selects(e *Event) bool {
	return (q.Kind == "" || e.Kind == q.Kind) &&
		(q.Link == ID{} || e.Link == q.Link) &&
		(q.Actor == "" || e.Actor == q.Actor) &&
		(q.Outcome == "" || e.Outcome == q.Outcome) &&
		q.Address.Selects(e.Address)
}

// SelectsLink reports whether the other filters select the events of a link; nil: the
// retention of the link is over.
func (q *AuditQuery) SelectsLink(l *Link) bool {
	if l == nil {
		return q.Match == nil && !q.OfObjects()
	}
	links := ListQuery{Bucket: q.Bucket, Prefix: q.Prefix, Key: q.Key, Labels: q.Labels, Match: q.Match}
	return links.Selects(l, time.Time{})
}

// Contradictory reports whether no event can have the kind, the actor and the outcome of
// the query: clicks have no actor, and events of operators have no outcome.
func (q *AuditQuery) Contradictory() bool {
	byOperator := slices.Contains(operatorKinds(), q.Kind)
	return q.Outcome != "" && (q.Actor != "" || byOperator) || q.Actor != "" && q.Kind != "" && !byOperator
}

// operatorKinds returns the kinds of events of operators.
func operatorKinds() []EventKind {
	return []EventKind{EventIssued, EventChanged, EventPaused, EventResumed, EventRevoked, EventErased}
}

// AuditPage is one page of the feed.
type AuditPage struct {
	Events []AuditEvent
	Next   string // cursor of the next page; empty: this is the last page
	// More says that the feed has more events than this page, if the query has Oldest.
	More bool
	// Searched is the number of events that the page examined.
	Searched int
}

// AddressFilter selects events by the recorded address of their client. The zero value
// selects every event.
type AddressFilter struct {
	network  netip.Prefix // of one address, if the filter is an address
	recorded string       // the other form in which the address may be recorded
}

// hashPrefix begins every recorded hash of an address.
const hashPrefix = "hash:"

// ParseAddressFilter reads an address, a network (CIDR) or a recorded hash. recorded
// returns the form in which the service records an address now; nil: only as an address.
func ParseAddressFilter(text string, recorded func(netip.Addr) string) (AddressFilter, error) {
	if strings.HasPrefix(text, hashPrefix) && len(text) > len(hashPrefix) {
		return AddressFilter{recorded: text}, nil
	}
	if network, err := netip.ParsePrefix(text); err == nil {
		return AddressFilter{network: network.Masked()}, nil
	}
	addr, err := netip.ParseAddr(text)
	if err != nil || addr.Zone() != "" {
		return AddressFilter{}, fmt.Errorf("%.64q is neither an address, nor a network, nor a recorded hash", text)
	}
	addr = addr.Unmap()
	f := AddressFilter{network: netip.PrefixFrom(addr, addr.BitLen())}
	if recorded != nil {
		f.recorded = recorded(addr)
	}
	return f, nil
}

// Selects reports whether the filter selects a recorded address. A recorded network is
// selected if it overlaps the network of the filter, because the client may have been in
// both.
func (f AddressFilter) Selects(recorded string) bool {
	if f == (AddressFilter{}) || f.recorded != "" && recorded == f.recorded {
		return true
	}
	if !f.network.IsValid() || recorded == "" {
		return false
	}
	if addr, err := netip.ParseAddr(recorded); err == nil {
		return f.network.Contains(addr.Unmap())
	}
	network, err := netip.ParsePrefix(recorded)
	return err == nil && network.Overlaps(f.network)
}

// String returns the filter as text; equal filters have equal texts.
func (f AddressFilter) String() string {
	if !f.network.IsValid() {
		return f.recorded
	}
	return f.network.String()
}
