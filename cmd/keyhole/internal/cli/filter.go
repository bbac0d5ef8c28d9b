package cli

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"keyhole/cmd/keyhole/internal/cli/term"
	"keyhole/cmd/keyhole/internal/command"
	"keyhole/gateway"
	"keyhole/gateway/api"
	"keyhole/gateway/client"
)

// filterFlags are the flags that select links. list and revoke share these flags and their
// rules, so that a person can list the links before revoking them.
type filterFlags struct {
	bucket, prefix, key, createdBy string
	states, labels                 []string
	since, used                    string
	endsWithin, endsAfter          string
	// named says that an argument named key.
	named bool
}

// add adds the flags to a command that selects links in these states. inBucket says that
// --prefix and --key need --bucket.
func (f *filterFlags) add(cmd *cobra.Command, states []gateway.State, inBucket bool) {
	flags, only := cmd.Flags(), "only"
	if inBucket {
		only = "with --bucket: only"
	}
	names := command.Convert[string](states)
	last := len(names) - 1
	flags.StringSliceVar(&f.states, "state", nil, "only links in this state: "+strings.Join(names[:last], ", ")+" or "+
		names[last]+"; several with commas or repeated")
	flags.StringVar(&f.bucket, "bucket", "", "only links to objects in this bucket")
	flags.StringVar(&f.prefix, "prefix", "",
		only+" links to objects whose key begins with this text, byte for byte: end a folder with a slash")
	flags.StringVar(&f.key, "key", "", only+" links to the object with this key")
	flags.StringVar(&f.createdBy, "created-by", "", "only links that the operator with this name issued")
	flags.StringArrayVar(&f.labels, "label", nil, "only links with this label, name=value; repeat it for several labels")
	flags.StringVar(&f.since, "since", "",
		"only links issued since a time, such as 2026-11-25T08:00:00Z or 2026-11-25 (UTC), "+
			"or within an age, such as 24h or 7d")
	flags.StringVar(&f.used, "used", "", "never: only links that nobody has used")
	flags.StringVar(&f.endsWithin, "ends-within", "", "only live links that expire within this time, such as 24h")
	flags.StringVar(&f.endsAfter, "ends-after", "",
		"only live links that expire after a time, such as 2026-12-01T08:00:00Z or 2026-12-01 (UTC), "+
			"or later than a duration from now, such as 24h or 7d")
	// Other flags are completed by the caller, because they ask the service.
	completeNames(cmd, "state", names)
	completeNames(cmd, "used", []string{usedNever})
}

// usedNever is the only value of --used.
const usedNever = "never"

// given tells whether one of the flags was used.
func (f *filterFlags) given() bool {
	return f.bucket+f.prefix+f.key+f.createdBy+f.since+f.used+f.endsWithin+f.endsAfter != "" ||
		len(f.states)+len(f.labels) > 0
}

// check refuses filters that no service accepts, and converts --since for the service.
// A prefix or key without a bucket selects in all buckets, unless mustHaveBucket is set.
func (f *filterFlags) check(mustHaveBucket bool) error {
	var problems []error
	for _, state := range f.states {
		problems = append(problems, oneOf("state", state, command.Convert[string](gateway.States())))
	}
	problems = append(problems, checkFilters(f.bucket, f.prefix, f.key, "", mustHaveBucket),
		oneOf("used", f.used, []string{usedNever}))
	if err := cmp.Or(problems...); err != nil {
		return err
	}
	if _, err := parseLabels(f.labels); err != nil {
		return err
	}
	if err := f.checkEnds(); err != nil {
		return err
	}
	return f.checkSince()
}

// checkEnds refuses filters of the expiry that select no link, and converts a date in
// --ends-after into a time. A duration stays a duration, because the service adds it to the
// time of its own clock.
func (f *filterFlags) checkEnds() error {
	within, err := gateway.ParseLife(f.endsWithin)
	if err != nil && f.endsWithin != "" {
		return command.Usage(fmt.Sprintf("--ends-within is %q, which is not a duration", f.endsWithin),
			"write it as 24h or 7d")
	}
	after, err := gateway.ParseLife(f.endsAfter)
	if err != nil && f.endsAfter != "" {
		at, ok := parsePoint(f.endsAfter, time.UTC, false)
		if !ok {
			return command.Usage(fmt.Sprintf("--ends-after is %q, which is neither a time nor a duration", f.endsAfter),
				"write it as 2026-12-01, 2026-12-01T08:00:00Z, 24h or 7d")
		}
		f.endsAfter = at.UTC().Format(time.RFC3339Nano)
	}
	if within > 0 && after >= within {
		return command.Usage("--ends-after must be shorter than --ends-within; otherwise no link matches",
			"correct one of them")
	}
	for _, filter := range []struct{ name, value string }{
		{"--ends-within", f.endsWithin}, {"--ends-after", f.endsAfter},
	} {
		// The list would always be empty, and look as if no link ended then.
		if filter.value != "" && len(f.states) > 0 && !slices.ContainsFunc(f.states, isLive) {
			return command.Usage(filter.name+" selects links that have not ended, and --state only links that have",
				"omit --state, or add active, paused or not_yet")
		}
	}
	return nil
}

// checkSince converts a date into a time. An age stays an age, because the service subtracts
// it from the time of its own clock.
func (f *filterFlags) checkSince() error {
	t, err := momentOf("since", f.since, time.Now())
	if err == nil && !t.IsZero() && strings.Contains(f.since, "-") {
		f.since = t.UTC().Format(time.RFC3339Nano)
	}
	return err
}

// isLive tells whether links in this state can be revoked and expire later.
func isLive(state string) bool { return slices.Contains(liveStates(), gateway.State(state)) }

// revocableStates returns the states of links that a revocation ends. Downloads of a link
// that is used up can be resumed for a while, until it is revoked.
func revocableStates() []gateway.State { return append(liveStates(), gateway.StateUsedUp) }

// checkRevocable refuses the states of links that nobody can revoke.
func (f *filterFlags) checkRevocable() error {
	for _, state := range f.states {
		if !slices.Contains(revocableStates(), gateway.State(state)) {
			return command.Usage("--state "+state+" selects links that cannot be revoked",
				"use active, paused, not_yet or used_up")
		}
	}
	return nil
}

// listOptions returns the filters for a list.
func (f *filterFlags) listOptions() client.ListOptions {
	return client.ListOptions{
		State: strings.Join(f.states, ","), Bucket: f.bucket, Prefix: f.prefix, Key: f.key, CreatedBy: f.createdBy,
		Labels: f.labels, Since: f.since, Used: f.used, EndsWithin: f.endsWithin, EndsAfter: f.endsAfter,
	}
}

// apply sets the filters of a revocation. A filter that was omitted is nil, because an
// empty text would select the links in which the property is empty.
func (f *filterFlags) apply(r *api.RevocationRequest) error {
	states := strings.Join(f.states, ",")
	for text, into := range map[*string]**string{
		&f.bucket: &r.Bucket, &f.prefix: &r.Prefix, &f.key: &r.Key, &f.createdBy: &r.CreatedBy, &states: &r.State,
		&f.since: &r.Since, &f.used: &r.Used, &f.endsWithin: &r.EndsWithin, &f.endsAfter: &r.EndsAfter,
	} {
		if *text != "" {
			*into = text
		}
	}
	labels, err := parseLabels(f.labels)
	switch len(f.labels) {
	case 0:
	case 1: // services of earlier versions support only one label
		r.Label = &f.labels[0]
	default:
		r.Labels = &labels
	}
	return err
}

// selected describes the filters for a question. The values are escaped like all text
// that may come from elsewhere.
func (f *filterFlags) selected() string {
	var text strings.Builder
	for _, filter := range []struct{ says, value string }{
		{" to objects of s3://", f.bucket},
		{" whose keys begin with ", f.prefix},
		{" with the key ", f.key},
		{", created by ", f.createdBy},
		{", with the label ", strings.Join(f.labels, " and ")},
		{", in the state ", strings.Join(f.states, " or ")},
		{", issued since ", f.since},
		{", used ", f.used},
		{", that expire within ", f.endsWithin},
		{", that expire after ", f.endsAfter},
	} {
		if filter.value != "" {
			text.WriteString(filter.says + term.Plain(filter.value))
		}
	}
	return text.String()
}
