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
	// FromNow selects events from now on, by the clock of Redis, because the clock of the
	// client may differ. It needs Oldest, and cannot be combined with Since.
	FromNow bool
	Kind    EventKind
	Link    ID // zero: the events of all links
	Actor   string
	Outcome Outcome
	Address AddressFilter
	// These filters select events by the object and the labels of their link, as in a
	// ListQuery. The labels are those at the time of the request. Events of links whose
	// retention is over are excluded.
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
	// Budget is the number of events that one page may examine, for callers that need an
	// answer soon. A page reads at most a quarter as many links. 0, and more than the store
	// examines in any case: the store's own.
	Budget int
}

// OfObjects reports whether the query selects events by the object or labels of their link.
func (q *AuditQuery) OfObjects() bool {
	return q.Bucket+q.Prefix+q.Key != "" || len(q.Labels) > 0
}

// Selects reports whether an event matches the filters that need only the event.
func (q *AuditQuery) Selects(e *Event) bool {
	return (q.Kind == "" || e.Kind == q.Kind) &&
		(q.Link == ID{} || e.Link == q.Link) &&
		(q.Actor == "" || e.Actor == q.Actor) &&
		(q.Outcome == "" || e.Outcome == q.Outcome) &&
		q.Address.Selects(e.Address)
}

// SelectsLink reports whether the link of an event matches the other filters. l is nil if
// the retention of the link is over.
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
	return []EventKind{
		EventIssued, EventChanged, EventPaused, EventResumed, EventRevoked, EventErased, EventSignedIn, EventSignedOut,
	}
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
	network  netip.Prefix // for an address: the network of that single address
	recorded string       // the hash or network that may be recorded for the address
}

// hashPrefix begins every recorded hash of an address.
const hashPrefix = "hash:"

// ParseAddressFilter reads an address, a network (CIDR) or a recorded hash. recorded
// returns what the service records now for an address; nil: the address itself.
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
