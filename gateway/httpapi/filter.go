package httpapi

import (
	"maps"
	"slices"
	"strings"
	"time"

	"keyhole/gateway"
	"keyhole/gateway/api"
)

// usedNever is the only value of the filter used.
const usedNever = "never"

// linkFilter are the filters of links as a client sends them: list and bulk revocation
// have the same filters with the same rules. Empty texts are not filters.
type linkFilter struct {
	state, bucket, prefix, key, createdBy string
	labels                                []string // name=value
	since, used, endsWithin               string
}

// refuseField makes the error of one field. The query of a list and the body of a revocation
// have different ones.
type refuseField func(field, code, message string) error

// refuseQuery makes the errors of a query.
func refuseQuery(_, _, message string) error {
	return gateway.Errorf(gateway.CodeBadRequest, "%s", message)
}

// refuseBody makes the errors of a body.
func refuseBody(field, code, message string) error { return gateway.Invalid(field, code, message) }

// query converts the filters to those of the domain.
func (f *linkFilter) query(refuse refuseField) (q gateway.ListQuery, err error) {
	q = gateway.ListQuery{Bucket: f.bucket, Prefix: f.prefix, Key: f.key, CreatedBy: f.createdBy}
	if f.prefix != "" && f.key != "" {
		return q, refuse("prefix", "conflict", "prefix and key cannot be combined; send one of them")
	}
	if q.States, err = statesOf(f.state, refuse); err != nil {
		return q, err
	}
	if q.Labels, err = labelsOf(f.labels, refuse); err != nil {
		return q, err
	}
	if q.Since, q.Age, err = sinceOf(f.since, refuse); err != nil {
		return q, err
	}
	if f.used != "" && f.used != usedNever {
		return q, refuse("used", "invalid", "used must be never")
	}
	q.Unused = f.used == usedNever
	if f.endsWithin == "" {
		return q, nil
	}
	if q.EndsWithin, err = gateway.ParseLife(f.endsWithin); err != nil {
		return q, refuse("ends_within", "invalid", "ends_within must be a duration such as 24h or 7d")
	}
	if len(q.States) > 0 && !slices.ContainsFunc(q.States, live) {
		return q, refuse("ends_within", "conflict",
			"ends_within selects links that have not ended; omit state or add active, paused or not_yet")
	}
	return q, nil
}

// live reports whether a link in this state has not ended.
func live(s gateway.State) bool { return !(&gateway.Link{State: s}).Ended() }

// statesOf reads states that are separated by commas.
func statesOf(text string, refuse refuseField) ([]gateway.State, error) {
	if text == "" {
		return nil, nil
	}
	var states []gateway.State
	for name := range strings.SplitSeq(text, ",") {
		state := gateway.State(name)
		if !slices.Contains(gateway.States(), state) {
			return nil, refuse("state", "invalid", "state must be active, paused, not_yet, expired, revoked or used_up, "+
				"or several of them, separated by commas")
		}
		states = append(states, state)
	}
	slices.Sort(states)
	return slices.Compact(states), nil
}

// labelsOf reads labels, each written name=value.
func labelsOf(texts []string, refuse refuseField) (map[string]string, error) {
	var labels map[string]string
	for _, text := range texts {
		name, value, ok := splitLabel(text)
		if !ok {
			return nil, refuse("label", "invalid", "label must have the form name=value")
		}
		if other, twice := labels[name]; twice && other != value {
			return nil, refuse("label", "conflict",
				"a label occurs with two values, which no link can have; send each name once")
		}
		if labels == nil {
			labels = map[string]string{}
		}
		labels[name] = value
	}
	return labels, nil
}

// splitLabel splits name=value.
func splitLabel(label string) (name, value string, ok bool) {
	name, value, ok = strings.Cut(label, "=")
	return name, value, ok && name != ""
}

// sinceOf reads a time or an age. Redis' clock decides when the age began.
func sinceOf(text string, refuse refuseField) (since time.Time, age time.Duration, err error) {
	if text == "" {
		return since, 0, nil
	}
	since, err = time.Parse(time.RFC3339, text)
	if err == nil && since.Year() >= 1970 && since.Year() <= 9999 {
		return since, 0, nil
	}
	if age, err = gateway.ParseLife(text); err != nil {
		return time.Time{}, 0, refuse("since", "invalid",
			"since must be a time such as 2026-11-25T08:00:00Z (RFC 3339) or an age such as 24h or 7d")
	}
	return time.Time{}, age, nil
}

// filterOfQuery returns the filters in the query of a list.
func filterOfQuery(query map[string]string, labels []string) linkFilter {
	return linkFilter{
		state: query["state"], bucket: query["bucket"], prefix: query["prefix"], key: query["key"],
		createdBy: query["created_by"], labels: labels,
		since: query["since"], used: query["used"], endsWithin: query["ends_within"],
	}
}

// filterOfBody returns the filters in the body of a bulk revocation. An empty filter is an
// error, because it would select every link.
func filterOfBody(body *api.RevocationRequest) (f linkFilter, err error) {
	for _, field := range []struct {
		name  string
		asked *string
		into  *string
	}{
		{"bucket", body.Bucket, &f.bucket},
		{"prefix", body.Prefix, &f.prefix},
		{"key", body.Key, &f.key},
		{"created_by", body.CreatedBy, &f.createdBy},
		{"state", body.State, &f.state},
		{"since", body.Since, &f.since},
		{"used", body.Used, &f.used},
		{"ends_within", body.EndsWithin, &f.endsWithin},
	} {
		if field.asked == nil {
			continue
		}
		if *field.asked == "" {
			return f, gateway.Invalid(field.name, "empty", "the filter is empty; omit it or give it a value")
		}
		*field.into = *field.asked
	}
	if body.Label != nil {
		f.labels = append(f.labels, *body.Label)
	}
	if body.Labels == nil {
		return f, nil
	}
	if len(*body.Labels) == 0 {
		return f, gateway.Invalid("labels", "empty", "the filter is empty; omit it or name a label")
	}
	for _, name := range slices.Sorted(maps.Keys(*body.Labels)) {
		if strings.Contains(name, "=") || name == "" {
			return f, gateway.Invalid("labels", "invalid", "the name of a label is empty or contains =")
		}
		f.labels = append(f.labels, name+"="+(*body.Labels)[name])
	}
	return f, nil
}
