package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"keyhole/cmd/keyhole/internal/cli/term"
	"keyhole/cmd/keyhole/internal/command"
	"keyhole/gateway"
	"keyhole/gateway/api"
	"keyhole/gateway/client"
	"keyhole/gateway/explain"
)

// tellObject prints the object of a request. found has its properties, if they are known.
func tellObject(w io.Writer, r *api.IssueRequest, found []api.ObjectEntry) {
	fmt.Fprintf(w, "Share     %s\n", term.Plain("s3://"+r.Bucket+"/"+r.Key))
	if len(found) == 1 && found[0].Key == r.Key {
		fmt.Fprintf(w, "  size      %s\n", term.OrDash(explain.Size(found[0].Size)))
		fmt.Fprintf(w, "  modified  %s\n", term.OrDash(explain.Timestamp(found[0].LastModified)))
	}
}

// askSensitivity shows the object on a terminal and asks whether it is sensitive. It
// returns nil if the answer is unknown. It does not ask if the object does not exist, or
// if the policy decides. life returns how long the link will live, "" if the answer decides.
func askSensitivity(
	ctx context.Context, env *command.Env, c *client.Client, r *api.IssueRequest, life func() string,
) (*bool, error) {
	// The search for the whole key returns the object first, if it exists.
	// A key may allow issuing and not browsing. Then the object's properties are unknown, and
	// the question is asked without them.
	page, err := c.Objects(ctx, client.ObjectsOptions{Storage: r.Storage, Bucket: r.Bucket, Prefix: r.Key, Limit: 1})
	var refused *client.Error
	found := err == nil && len(page.Objects) == 1 && page.Objects[0].Key == r.Key
	mayNotLook := errors.As(err, &refused) &&
		(refused.Code == string(gateway.CodeForbidden) || refused.Code == string(gateway.CodeInvalid))
	switch {
	case err != nil && !mayNotLook:
		return nil, nearBucket(ctx, c, r.Bucket, r.Key, err)
	case err == nil && !found && r.VersionID == "":
		return nil, nil //nolint:nilnil // The issue will say that the object does not exist.
	case found && page.Objects[0].Sensitive:
		return nil, nil //nolint:nilnil // The policy has decided.
	}
	// The person sees which object the question is about before answering it.
	tellObject(env.Stderr, r, page.Objects)
	if text := life(); text != "" {
		fmt.Fprintf(env.Stderr, "  expires   %s\n", term.Plain(text))
	} else if r.Preset == "" && r.ExpiresIn == "" {
		tellLives(ctx, env.Stderr, c)
	}
	return readSensitivity(ctx, env, "Is the object sensitive")
}

// readSensitivity asks until the answer is clear. Enter means "not known". The end of the
// input is no answer, because a guess could make the link live too long.
func readSensitivity(ctx context.Context, env *command.Env, question string) (*bool, error) {
	// One reader for all tries: another would lose what this one has buffered.
	lines := bufio.NewReader(env.Stdin)
	for {
		fmt.Fprint(env.Stderr, question+
			" (personal data, secrets, anything that must not leak)?\n[y]es, [n]o, or Enter if you do not know: ")
		answer, err := term.ReadLine(ctx, lines)
		if err != nil {
			fmt.Fprintln(env.Stderr)
			return nil, &command.Error{
				Err: errors.New("nothing was shared, because there was no answer"), Code: command.ExitFailed,
				Hint: "answer, or use --sensitive, --not-sensitive or, if you do not know, --yes",
			}
		}
		switch strings.ToLower(strings.TrimSpace(answer)) {
		case "y", "yes":
			return new(true), nil
		case "n", "no":
			return new(false), nil
		case "":
			return nil, nil //nolint:nilnil // As api.IssueRequest has it.
		}
	}
}

// checklist prints what was just shared, so that the operator can check it: the object,
// who can use the link, how long and why, its warnings, and how to revoke it.
func checklist(w io.Writer, request *api.IssueRequest, link *api.Link, whyUntil string, now time.Time) {
	row := func(name, value string) { fmt.Fprintf(w, "  %-9s %s\n", name, term.Plain(value)) }
	fmt.Fprintf(w, "Shared    %s\n", term.Plain("s3://"+link.Bucket+"/"+link.Key))
	if !explain.Usable(link) {
		row("state", link.State+": an earlier request issued the link, and it does not work now")
	}
	row("size", term.OrDash(explain.Size(link.Object.Size)))
	row("type", term.OrDash(link.Object.ContentType))
	row("modified", term.OrDash(explain.Timestamp(link.Object.LastModified)))
	if link.Disposition == gateway.DispositionInline {
		row("shown", "in the browser, as "+link.Filename)
	} else {
		row("saved as", link.Filename)
	}
	row("pinned to", explain.Pin(link))
	// The reasons stand beside the values, so that a surprising value needs no manual.
	row("sensitive", explain.SensitivityReason(request, link))
	// The remaining time by this machine's clock is only for orientation. The link expires by
	// the clock of Redis.
	left := link.ExpiresAt.Sub(now).Round(time.Second)
	when := "in " + gateway.SpellLife(left)
	if left <= 0 {
		when = "already"
	}
	row("expires", fmt.Sprintf("%s, %s (%s)", onClock(link.ExpiresAt, time.Local), when, whyUntil))
	row("for", explain.Audience(link))
	for _, line := range explain.Restrictions(link) {
		row(line[0], line[1])
	}
	if link.Language != "" {
		row("language", explain.Language(link.Language))
	}
	if link.Note != "" {
		row("note", link.Note)
	}
	// Labels are sorted, so that two links can be compared line by line.
	for _, name := range slices.Sorted(maps.Keys(link.Labels)) {
		row("label", name+"="+link.Labels[name])
	}
	row("id", link.ID)
	warnings(w, link)
	row("then", "the link stops working; the object stays private")
	row("undo", "keyhole revoke "+link.ID)
}

// warnings prints the warnings and notes of a link. The code comes last: scripts and the
// manual name it, and people read the sentence.
func warnings(w io.Writer, link *api.Link) {
	for _, warning := range link.Warnings {
		fmt.Fprintf(w, "  warning   %s (%s)\n", term.Plain(warning.Message), term.Plain(warning.Code))
	}
	for _, note := range link.Notes {
		fmt.Fprintf(w, "  notice    %s (%s)\n", term.Plain(note.Message), term.Plain(note.Code))
	}
}
