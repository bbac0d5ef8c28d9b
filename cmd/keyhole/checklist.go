package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"keyhole/gateway"
	"keyhole/gateway/api"
	"keyhole/gateway/client"
)

// askSensitivity shows what is about to be shared and asks what is known of its
// content; nil: nothing is. It asks nothing about what is not there, and nothing that
// the policy decides. It is for people alone.
func askSensitivity(ctx context.Context, world *surroundings, c *client.Client, r *api.IssueRequest) (*bool, error) {
	page, err := c.Objects(ctx, client.ObjectsOptions{Storage: r.Storage, Bucket: r.Bucket, Prefix: r.Key, Limit: 1})
	var refused *client.Error
	found := err == nil && len(page.Objects) == 1 && page.Objects[0].Key == r.Key
	mayNotLook := errors.As(err, &refused) && (refused.Code == string(gateway.CodeForbidden) || refused.Code == string(gateway.CodeInvalid))
	switch {
	case err != nil && !mayNotLook:
		return nil, nearBucket(ctx, c, r.Bucket, err)
	case err == nil && !found && r.VersionID == "":
		return nil, nil //nolint:nilnil // There is nothing to ask about: the issue says why.
	case found && page.Objects[0].Sensitive:
		return nil, nil //nolint:nilnil // The policy has answered already.
	}
	fmt.Fprintf(world.stderr, "Share     %s\n", plain("s3://"+r.Bucket+"/"+r.Key))
	if found {
		fmt.Fprintf(world.stderr, "  size      %s\n", orDash(size(page.Objects[0].Size)))
		fmt.Fprintf(world.stderr, "  modified  %s\n", orDash(timestamp(page.Objects[0].LastModified)))
	}
	lines := bufio.NewReader(world.stdin)
	for {
		fmt.Fprint(world.stderr, "Is it sensitive: personal data, secrets, what must not get about?\n[y]es, [n]o, or Enter if you do not know: ")
		answer, err := readLine(ctx, lines)
		if err != nil {
			fmt.Fprintln(world.stderr)
			return nil, &hinted{
				err: errors.New("nothing was shared: there was no answer"), code: exitFailed,
				hint: "answer, or say it by --sensitive or --not-sensitive, or --yes if you do not know",
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

// checklist tells the operator what was just shared: is it this object, who can get
// at it, is the life short enough, what was decided for which reason, and how it is
// undone.
func checklist(w io.Writer, asked *api.IssueRequest, link *api.Link, now time.Time) {
	row := func(name, value string) { fmt.Fprintf(w, "  %-9s %s\n", name, plain(value)) }
	fmt.Fprintf(w, "Shared    %s\n", plain("s3://"+link.Bucket+"/"+link.Key))
	if !works(link) {
		row("state", link.State+": it was issued by an earlier try, and does not work now")
	}
	row("size", orDash(size(link.Object.Size)))
	row("type", orDash(link.Object.ContentType))
	row("modified", orDash(timestamp(link.Object.LastModified)))
	if link.Disposition == gateway.DispositionInline {
		row("shown", "in the browser, as "+link.Filename)
	} else {
		row("saved as", link.Filename)
	}
	row("pinned to", pinnedTo(link))
	row("sensitive", sensitivityBy(asked, link))
	left := link.ExpiresAt.Sub(now).Round(time.Second)
	when := "in " + gateway.FormatLife(left)
	if left <= 0 {
		when = "by now"
	}
	row("expires", fmt.Sprintf("%s, %s (%s)", link.ExpiresAt.Format(time.RFC3339), when, lifeBy(asked, link)))
	row("for", whoCan(link))
	for _, line := range restrictions(link) {
		row(line[0], line[1])
	}
	if link.Note != "" {
		row("note", link.Note)
	}
	for _, name := range slices.Sorted(maps.Keys(link.Labels)) {
		row("label", name+"="+link.Labels[name])
	}
	row("id", link.ID)
	warnings(w, link)
	row("then", "the link says that it has ended, and the object is as private as before")
	row("undo", "keyhole revoke "+link.ID)
}

// works tells whether a link that was just issued does what it is for, now or later: an
// earlier try may have issued it.
func works(link *api.Link) bool {
	return link.State == string(gateway.StateActive) || link.State == string(gateway.StateNotYet)
}

// warnings tells what is unwise about a link, and what it will do unasked.
func warnings(w io.Writer, link *api.Link) {
	for _, warning := range link.Warnings {
		fmt.Fprintf(w, "  warning   %s (%s)\n", plain(warning.Message), plain(warning.Code))
	}
	for _, note := range link.Notes {
		fmt.Fprintf(w, "  notice    %s (%s)\n", plain(note.Message), plain(note.Code))
	}
}

// sensitivityBy writes what is held of the content, and by whom.
func sensitivityBy(asked *api.IssueRequest, link *api.Link) string {
	if asked.Sensitive == nil && link.Sensitive != nil {
		return sensitivity(link.Sensitive) + ": the policy's sensitive_objects has it"
	}
	return sensitivity(link.Sensitive)
}

// lifeBy says why a link lives as long as it does.
func lifeBy(asked *api.IssueRequest, link *api.Link) string {
	switch {
	case asked.ExpiresIn != "":
		return "as asked for"
	case asked.Preset != "":
		return link.Preset
	case link.Sensitive == nil:
		return link.Preset + ", as sensitivity is not stated"
	case *link.Sensitive:
		return link.Preset + ", as it is sensitive"
	}
	return link.Preset + ", as it is not sensitive"
}

// whoCan says who can use a link, before what else it asks for.
func whoCan(link *api.Link) string {
	if link.Passphrase {
		return "whoever has the link and the passphrase"
	}
	return "whoever has the link"
}

// restrictions names what stands between a link and who has it, a line for each.
func restrictions(link *api.Link) [][]string {
	var lines [][]string
	if link.MaxClicks != nil {
		lines = append(lines, []string{"uses", strconv.FormatInt(*link.MaxClicks, 10) + " at most"})
	}
	if link.Passphrase {
		asks := "a passphrase"
		if link.Reveal == gateway.RevealAfter {
			asks += "; the page shows nothing about the file before it"
		}
		lines = append(lines, []string{"asks for", asks})
	}
	if link.MaxClicks != nil || link.Passphrase || link.Confirm {
		lines = append(lines, []string{"shows", "a page first; its button alone counts"})
	}
	if link.NotBefore != nil {
		lines = append(lines, []string{"begins", link.NotBefore.Format(time.RFC3339)})
	}
	if len(link.Allow) > 0 {
		lines = append(lines, []string{"only from", strings.Join(link.Allow, ", ")})
	}
	return lines
}
