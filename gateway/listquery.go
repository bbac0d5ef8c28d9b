package gateway

import (
	"slices"
	"strings"
	"time"
)

// ListQuery selects links. Empty fields select everything. Fields that are not empty
// are joined by AND.
type ListQuery struct {
	States    []State // a link must have one of these states
	Bucket    string
	Buckets   []string // to search for Prefix or Key if Bucket is empty
	Prefix    string   // of the object key, literal bytes
	Key       string
	CreatedBy string
	Labels    map[string]string // a link must have all of them
	Since     time.Time         // only links that were issued at or after this time
	// Age selects links that were issued at most this long before the first page, by the
	// clock of Redis. It cannot be combined with Since.
	Age time.Duration
	// Unused selects the links without a counted click.
	Unused bool
	// EndsWithin selects links that have not ended and that expire at most this long after
	// the first page, by the clock of Redis.
	EndsWithin time.Duration
	// EndsAfter selects links that have not ended and that expire after this time.
	EndsAfter time.Time
	// Remaining selects links that have not ended and that expire later than this long after
	// the first page, by the clock of Redis. It cannot be combined with EndsAfter.
	Remaining time.Duration
	// Match selects the objects in the operator's scope.
	Match  func(ObjectRef) bool
	Cursor string
	Limit  int
	// Budget is the number of index entries that one page may examine, for callers that need
	// an answer soon. 0, and more than the store examines in any case: the store's own.
	Budget int
}

// Relative reports whether a filter depends on the time of the first page.
func (q *ListQuery) Relative() bool { return q.Age > 0 || q.EndsWithin > 0 || q.Remaining > 0 }

// IssuedSince returns the earliest issue time of selected links, if the first page was read
// at start; zero: any time.
func (q *ListQuery) IssuedSince(start time.Time) time.Time {
	if q.Age > 0 {
		return start.Add(-q.Age)
	}
	return q.Since
}

// endsBetween reports whether q selects a link by its expiry, if the first page was read at
// start. A filter of the expiry selects only links that have not ended.
func (q *ListQuery) endsBetween(l *Link, start time.Time) bool {
	if q.EndsWithin == 0 && q.EndsAfter.IsZero() && q.Remaining == 0 {
		return true
	}
	return !l.Ended() &&
		(q.EndsWithin == 0 || !l.ExpiresAt.After(start.Add(q.EndsWithin))) &&
		l.ExpiresAt.After(q.EndsAfter) &&
		(q.Remaining == 0 || l.ExpiresAt.After(start.Add(q.Remaining)))
}

// Selects reports whether q selects a link, if the first page was read at start. It
// ignores Buckets, because the store searches only these buckets.
func (q *ListQuery) Selects(l *Link, start time.Time) bool {
	for name, value := range q.Labels {
		if has, ok := l.Labels[name]; !ok || has != value {
			return false
		}
	}
	return (len(q.States) == 0 || slices.Contains(q.States, l.State)) &&
		(q.Bucket == "" || l.Ref.Bucket == q.Bucket) &&
		(q.Key == "" || l.Ref.Key == q.Key) &&
		strings.HasPrefix(l.Ref.Key, q.Prefix) &&
		(q.CreatedBy == "" || l.CreatedBy == q.CreatedBy) &&
		!l.CreatedAt.Before(q.IssuedSince(start)) &&
		(!q.Unused || l.Clicks == 0) &&
		q.endsBetween(l, start) &&
		(q.Match == nil || q.Match(l.Ref))
}

// ListPage is one page of links: newest first, or in the order of object keys if the
// query has a Prefix or Key.
type ListPage struct {
	Links []Link
	Next  string // cursor of the next page; empty: this is the last page
	// Searched is the number of index entries that were examined for the page. A short page
	// with a large number means that the query selects few of the links.
	Searched int
}
