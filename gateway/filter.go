package gateway

import (
	"net/netip"
	"slices"
	"strings"
	"time"
)

// usedNever is the only value of the filter used.
const usedNever = "never"

// LinkFilter holds the filters of links as a client sends them. Lists, bulk revocations
// and the console have the same filters with the same rules. An empty text is no filter.
type LinkFilter struct {
	State      string // states, separated by commas
	Bucket     string
	Prefix     string
	Key        string
	CreatedBy  string
	Labels     []string // each name=value
	Since      string   // a time (RFC 3339), or an age such as 7d
	Used       string   // never
	EndsWithin string   // a duration such as 24h or 7d
	EndsAfter  string   // a time (RFC 3339), or a duration from now
}

// Query converts the filters to a ListQuery, and returns the errors in them, at most one
// for each field. With an error, the ListQuery must not be used: it selects too much.
func (f *LinkFilter) Query() (q ListQuery, found []FieldError) {
	q = ListQuery{Bucket: f.Bucket, Prefix: f.Prefix, Key: f.Key, CreatedBy: f.CreatedBy}
	refuse := func(field, code, message string) { found = append(found, FieldError{field, code, message}) }
	if f.Prefix != "" && f.Key != "" {
		refuse("prefix", "conflict", "prefix and key cannot be combined; send one of them")
	}
	var valid bool
	if q.States, valid = parseStates(f.State); !valid {
		refuse("state", "invalid", "state must be active, paused, not_yet, expired, revoked or used_up, "+
			"or several of them, separated by commas")
	}
	labels, wrong := ParseLabels("label", f.Labels)
	q.Labels, found = labels, append(found, wrong...)
	if q.Since, q.Age, valid = parseTimeOrLife(f.Since); !valid {
		refuse("since", "invalid",
			"since must be a time such as 2026-11-25T08:00:00Z (RFC 3339) or an age such as 24h or 7d")
	}
	if q.Unused = f.Used == usedNever; !q.Unused && f.Used != "" {
		refuse("used", "invalid", "used must be never")
	}
	return q, append(found, f.readEnds(&q)...)
}

// readEnds reads the filters of the expiry into q, and returns the errors in them.
func (f *LinkFilter) readEnds(q *ListQuery) (found []FieldError) {
	refuse := func(field, code, message string) { found = append(found, FieldError{field, code, message}) }
	// Ended links expire no more, so their states and these filters together select nothing.
	// An empty list would look as if no link lived that long.
	ended := len(q.States) > 0 && !slices.ContainsFunc(q.States, State.live)
	const notEnded = " selects links that have not ended; omit state or add active, paused or not_yet"
	if f.EndsWithin != "" {
		var err error
		if q.EndsWithin, err = ParseLife(f.EndsWithin); err != nil {
			refuse("ends_within", "invalid", "ends_within must be a duration such as 24h or 7d")
		} else if ended {
			refuse("ends_within", "conflict", "ends_within"+notEnded)
		}
	}
	if f.EndsAfter == "" {
		return found
	}
	var valid bool
	if q.EndsAfter, q.Remaining, valid = parseTimeOrLife(f.EndsAfter); !valid {
		refuse("ends_after", "invalid",
			"ends_after must be a time such as 2026-11-25T08:00:00Z (RFC 3339) or a duration such as 24h or 7d")
	} else if ended {
		refuse("ends_after", "conflict", "ends_after"+notEnded)
	} else if q.Remaining > 0 && q.EndsWithin > 0 && q.Remaining >= q.EndsWithin {
		refuse("ends_after", "conflict", "ends_after must be shorter than ends_within; otherwise no link matches")
	}
	return found
}

// live reports whether a link in this state has not ended.
func (s State) live() bool { return !(&Link{State: s}).Ended() }

// parseStates reads states that are separated by commas.
func parseStates(text string) (states []State, valid bool) {
	if text == "" {
		return nil, true
	}
	for name := range strings.SplitSeq(text, ",") {
		state := State(name)
		if !slices.Contains(States(), state) {
			return nil, false
		}
		states = append(states, state)
	}
	slices.Sort(states)
	return slices.Compact(states), true
}

// ParseLabels reads labels, each written name=value. It returns the first error in them,
// which names field.
func ParseLabels(field string, texts []string) (labels map[string]string, found []FieldError) {
	for _, text := range texts {
		name, value, ok := strings.Cut(text, "=")
		if !ok || name == "" {
			return nil, []FieldError{{field, "invalid", "label must have the form name=value"}}
		}
		if other, twice := labels[name]; twice && other != value {
			return nil, []FieldError{{
				field, "conflict", "a label occurs with two values, which no link can have; send each name once",
			}}
		}
		if labels == nil {
			labels = map[string]string{}
		}
		labels[name] = value
	}
	return labels, nil
}

// parseTimeOrLife reads a time or a duration, which counts from the clock of Redis: back
// for an age, forward for a remaining life.
func parseTimeOrLife(text string) (t time.Time, life time.Duration, valid bool) {
	if t, valid = parseTime(text); valid {
		return t, 0, true
	}
	life, err := ParseLife(text)
	return time.Time{}, life, err == nil
}

// parseTime reads a time of a filter. An empty text is the zero time.
func parseTime(text string) (t time.Time, valid bool) {
	if text == "" {
		return time.Time{}, true
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil || t.Year() < 1970 || t.Year() > 9999 {
		return time.Time{}, false
	}
	return t, true
}

// The orders of the audit feed.
const (
	orderNewest = "newest"
	orderOldest = "oldest"
)

// sinceNow is the value of AuditFilter.Since for a feed that starts with the next event.
const sinceNow = "now"

// AuditFilter holds the filters of events as a client sends them. The filters of links
// have the rules of a LinkFilter. An empty text is no filter.
type AuditFilter struct {
	Since   string // a time (RFC 3339), or now
	Until   string // a time (RFC 3339)
	Kind    string
	Link    string // the id of a link
	Actor   string
	Outcome string
	Address string // an address, a network, or a hash as the audit shows it
	Bucket  string
	Prefix  string
	Key     string
	Labels  []string // each name=value
	Order   string   // newest or oldest; empty: newest
}

// Query converts the filters to an AuditQuery, and returns the errors in them, at most one
// for each field. recorded returns the form in which the service records an address now;
// nil: only as an address. With an error, the AuditQuery must not be used: it selects too
// much.
func (f *AuditFilter) Query(recorded func(netip.Addr) string) (q AuditQuery, found []FieldError) {
	ofLinks := LinkFilter{Bucket: f.Bucket, Prefix: f.Prefix, Key: f.Key, Labels: f.Labels}
	links, found := ofLinks.Query()
	refuse := func(field, message string) { found = append(found, FieldError{field, "invalid", message}) }
	q = AuditQuery{
		Kind: EventKind(f.Kind), Actor: f.Actor, Outcome: Outcome(f.Outcome),
		Bucket: links.Bucket, Prefix: links.Prefix, Key: links.Key, Labels: links.Labels,
	}
	if q.Kind != "" && !slices.Contains(EventKinds(), q.Kind) {
		refuse("kind", "kind must be issued, changed, paused, resumed, revoked, erased, signed_in, signed_out, "+
			"redirected, page, refused or failed")
	}
	if q.Outcome != "" && !slices.Contains(Outcomes(), q.Outcome) {
		refuse("outcome", "outcome must be the outcome of a click, such as redirected or expired")
	}
	if f.Link != "" {
		var known bool
		if q.Link, known = ParseID(f.Link); !known {
			refuse("link", "link must be the id of a link")
		}
	}
	if f.Address != "" {
		var err error
		if q.Address, err = ParseAddressFilter(f.Address, recorded); err != nil {
			refuse("address",
				"address must be an address such as 192.0.2.7, a network such as 192.0.2.0/24, or a hash as the audit shows it")
		}
	}
	return q, append(found, f.readSpan(&q)...)
}

// readSpan reads the order and the times into q, and returns the errors in them.
func (f *AuditFilter) readSpan(q *AuditQuery) (found []FieldError) {
	refuse := func(field, code, message string) { found = append(found, FieldError{field, code, message}) }
	q.Oldest = f.Order == orderOldest
	if !q.Oldest && f.Order != "" && f.Order != orderNewest {
		refuse("order", "invalid", "order must be newest or oldest")
	}
	const wrongTime = " must be a time such as 2026-11-25T08:00:00Z (RFC 3339)"
	var valid bool
	if q.FromNow = f.Since == sinceNow; q.FromNow {
		if !q.Oldest {
			refuse("since", "conflict", "since=now needs order=oldest")
		}
	} else if q.Since, valid = parseTime(f.Since); !valid {
		refuse("since", "invalid", "since"+wrongTime)
	}
	if q.Until, valid = parseTime(f.Until); !valid {
		refuse("until", "invalid", "until"+wrongTime)
	}
	return found
}
