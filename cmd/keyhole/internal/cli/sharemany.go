package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"keyhole/cmd/keyhole/internal/cli/term"
	"keyhole/cmd/keyhole/internal/command"
	"keyhole/gateway/api"
	"keyhole/gateway/client"
	"keyhole/gateway/explain"
)

// sharing is one object of several, with its request and the result so far.
type sharing struct {
	object  object
	request api.IssueRequest
	link    api.Link // of the dry run, then of the issue
	refused error    // nil: not refused
	status  int      // of the last result
}

// shareAll issues one link for each object. It first lets the service check all objects,
// so that a refusal of one leaves no link of the others, unless --partial is given.
func (f *shareFlags) shareAll(ctx context.Context, env *command.Env, c *client.Client, objects []object) error {
	all := f.sharings(objects)
	if f.mayAsk(env) && term.IsTerminal(env.Stdout) {
		if err := f.askAll(ctx, env, c, all); err != nil {
			return err
		}
	}
	f.expiryToSend(all, time.Now())
	// The answer about the sensitivity is part of this check, because it changes the limits.
	accepted, refused, err := f.checkAll(ctx, c, all)
	if err != nil {
		return err
	}
	// The person sees what is about to be shared; the result follows below.
	if !f.quiet {
		f.checklistOfAll(env, accepted)
	}
	f.expiryToSend(accepted, time.Now())
	if err := f.send(ctx, c, accepted, false); err != nil {
		return f.someMayBeIssued(err)
	}
	// What passed the check can still fail: an object was deleted, or Redis is away.
	issued, failed := apart(accepted)
	if len(failed) > 0 && !f.partial {
		return f.undo(ctx, c, issued, failed, len(all))
	}
	if refused = append(refused, failed...); len(refused) == 0 {
		return f.printAll(ctx, env, issued)
	}
	if len(issued) == 0 {
		return mayExist(f.refusal(refused, len(all), noLink), failed)
	}
	// The links exist, so their URLs are printed before the refusals end the command.
	refusal := mayExist(f.refusal(refused, len(all), "the others were shared"), failed)
	return errors.Join(f.printAll(ctx, env, issued), refusal)
}

// noLink is the result of a command that was refused as a whole.
const noLink = "no link was issued"

// checkAll lets the service check all objects without issuing a link. It returns an error if
// an object is refused, or with --partial if all are.
func (f *shareFlags) checkAll(ctx context.Context, c *client.Client, all []*sharing) (
	accepted, refused []*sharing, err error,
) {
	if err := f.send(ctx, c, all, true); err != nil {
		return nil, nil, err
	}
	accepted, refused = apart(all)
	if len(refused) > 0 && (!f.partial || len(accepted) == 0) {
		return nil, nil, f.refusal(refused, len(all), noLink)
	}
	return accepted, refused, nil
}

// send asks the service for the links of all, or only to check them. It repeats a batch
// once whose results failed on the side of the service, which completes it. It makes a
// generated passphrase longer until the policy accepts it.
func (f *shareFlags) send(ctx context.Context, c *client.Client, all []*sharing, dryRun bool) error {
	for again := false; ; {
		// The key of the batch stays, so that a repeat completes the batch.
		requests := make([]api.IssueRequest, len(all))
		for i, s := range all {
			s.request.Passphrase = f.request.Passphrase
			requests[i] = s.request
		}
		batch, err := c.IssueBatch(ctx, api.BatchRequest{
			Links: requests, DryRun: dryRun, IdempotencyKey: f.request.IdempotencyKey,
		})
		var problems []api.FieldError
		if err == nil {
			problems, err = f.take(all, batch.Results)
		}
		switch {
		case err != nil && again:
			return nil // the results of the first request stay, with the links that it issued
		case err != nil:
			return inFlags(err, f.sensitive, "")
		}
		failed := slices.ContainsFunc(all, (*sharing).failed)
		switch {
		case dryRun && f.lengthenPassphrase(problems):
		case failed && !again:
			again = true
		default:
			return nil
		}
	}
}

// someMayBeIssued is mayBeIssued for several links. The check has passed before, so the
// address is right, and an answer that cannot be read does not mean that nothing was issued.
func (f *shareFlags) someMayBeIssued(err error) error {
	if !leavesOpen(err) && !errors.Is(err, client.ErrNotKeyhole) {
		return err
	}
	const look = "links may have been issued: keyhole list shows them"
	if f.makePassphrase {
		return unknownResult(err, look+"; revoke them, and share again")
	}
	return unknownResult(err, look+"\n"+f.howToRepeat())
}

// take puts the results of a batch to their objects, and returns the errors in all fields.
// After an error the earlier results stay.
func (f *shareFlags) take(all []*sharing, results []api.BatchResult) (problems []api.FieldError, err error) {
	// Results have no names: only their order says which object each one is about.
	if len(results) != len(all) {
		return nil, fmt.Errorf("%w: %d results for %d objects", client.ErrNotKeyhole, len(results), len(all))
	}
	if slices.ContainsFunc(results, func(r api.BatchResult) bool { return r.Link == nil && r.Problem == nil }) {
		return nil, fmt.Errorf("%w: a result is empty", client.ErrNotKeyhole)
	}
	for i, s := range all {
		s.status, s.refused = results[i].Status, nil
		if result := results[i]; result.Link != nil {
			s.link = *result.Link
		} else {
			problems = append(problems, result.Problem.Errors...)
			s.refused = inFlags(&client.Error{Problem: *result.Problem}, f.sensitive, s.object.String())
		}
	}
	return problems, nil
}

// apart separates the objects that were refused from the others.
func apart(all []*sharing) (accepted, refused []*sharing) {
	for _, s := range all {
		if s.refused == nil {
			accepted = append(accepted, s)
		} else {
			refused = append(refused, s)
		}
	}
	return accepted, refused
}

// askAll asks once whether the objects are sensitive. The answer holds for the objects about
// which the policy does not decide. It does not ask if the policy decides about all.
func (f *shareFlags) askAll(ctx context.Context, env *command.Env, c *client.Client, all []*sharing) error {
	// The properties are known without the limits, which depend on the answer.
	asked := make([]*sharing, len(all))
	for i, s := range all {
		copied := *s
		copied.request.Preset, copied.request.ExpiresIn = "", ""
		asked[i] = &copied
	}
	accepted, _, err := f.checkAll(ctx, c, asked)
	if err != nil || !slices.ContainsFunc(accepted, func(s *sharing) bool { return s.link.Sensitive == nil }) {
		return err
	}
	if err := f.checkLives(ctx, c, all, asked); err != nil {
		return err
	}
	fmt.Fprintf(env.Stderr, "Share     %s\n", explain.Plural(len(accepted), "object"))
	if err := printSharings(env.Stderr, accepted); err != nil {
		return err
	}
	if f.request.Preset == "" && f.request.ExpiresIn == "" {
		tellLives(ctx, env.Stderr, c)
	}
	answer, err := readSensitivity(ctx, env, "Is any of the objects sensitive")
	if err != nil {
		return err
	}
	for i, s := range all {
		if asked[i].link.Sensitive == nil {
			s.request.Sensitive = answer
		}
	}
	f.asked = true
	return nil
}

// checkLives refuses a life that is too long whatever the answer about the sensitivity is, so
// that nobody answers in vain. "Not sensitive" allows the longest lives. checked has what the
// policy decides; without such a decision the answer counts for every object.
func (f *shareFlags) checkLives(ctx context.Context, c *client.Client, all, checked []*sharing) error {
	decided := slices.ContainsFunc(checked, func(s *sharing) bool { return s.link.Sensitive != nil })
	if !decided || f.request.Preset == "" && f.request.ExpiresIn == "" {
		return nil
	}
	tried := make([]*sharing, len(all))
	for i, s := range all {
		copied := *s
		if checked[i].link.Sensitive == nil {
			copied.request.Sensitive = new(false)
		}
		tried[i] = &copied
	}
	_, _, err := f.checkAll(ctx, c, tried)
	return err
}

// reason returns why the object was refused, without its name.
func (s *sharing) reason() string {
	return strings.TrimPrefix(s.refused.Error(), s.object.String()+": ")
}

// refusal returns the error of objects that were refused. The same reason is said once.
func (f *shareFlags) refusal(refused []*sharing, of int, result string) error {
	reasons := map[string]bool{}
	lines := []string{fmt.Sprintf("%d of %s refused; %s", len(refused), explain.Plural(of, "object"), result)}
	for _, s := range refused {
		reason := s.reason()
		reasons[reason] = true
		lines = append(lines, "  "+s.object.String()+": "+reason)
	}
	// One cause for all, such as a wrong flag, needs no list of the objects.
	if len(reasons) == 1 && len(refused) == of {
		lines = []string{fmt.Sprintf("every object was refused, and %s: %s", result, refused[0].reason())}
	}
	hint := "correct the list, or use --partial to share the others"
	if byPolicy := countSensitive(refused); byPolicy > 0 && byPolicy < of {
		// To add or remove a flag for all objects only moves the refusal to the others.
		hint = "share the objects that are sensitive by policy with a command of their own, for a shorter time"
		if !f.partial && len(refused) < of {
			hint += ";\nor use --partial to share the others"
		}
		return &command.Error{Err: errors.New(strings.Join(lines, "\n")), Hint: hint, Code: command.ExitFailed}
	}
	if f.partial || len(refused) == of {
		_, hint = exitCodeAndHint(withLatest(refused[0].refused, !f.until.IsZero(), time.Now(), time.Local))
	}
	return &command.Error{Err: errors.New(strings.Join(lines, "\n")), Hint: hint, Code: command.ExitFailed}
}

// countSensitive counts the objects whose refusal says that they are sensitive by policy.
func countSensitive(refused []*sharing) int {
	n := 0
	for _, s := range refused {
		if strings.Contains(s.refused.Error(), "sensitive by policy") {
			n++
		}
	}
	return n
}

// undo revokes the links that were issued, because another object was refused after all. It
// says which links it could not revoke.
func (f *shareFlags) undo(ctx context.Context, c *client.Client, issued, failed []*sharing, of int) error {
	var live []string
	var last error
	for _, s := range issued {
		// An interrupted command still takes back what it has done.
		undoing, cancel := context.WithTimeout(context.WithoutCancel(ctx), undoTimeout)
		if _, err := c.Revoke(undoing, s.link.ID, "another object of the same command was refused"); err != nil {
			live, last = append(live, "keyhole revoke "+s.link.ID), err
		}
		cancel()
	}
	result := fmt.Sprintf("%s issued before and revoked again", explain.Plural(len(issued), "link"))
	if len(live) > 0 {
		result = fmt.Sprintf("%d of %s issued before could not be revoked: %v", len(live),
			explain.Plural(len(issued), "link"), last)
	}
	err := mayExist(f.refusal(failed, of, result), failed)
	var known *command.Error
	if errors.As(err, &known) && len(live) > 0 {
		known.Hint = strings.Join(live, "\n")
	}
	return err
}

// mayExist replaces the hint of a refusal if the service itself failed to issue one of the
// links, because that link may exist.
func mayExist(err error, failed []*sharing) error {
	var known *command.Error
	if errors.As(err, &known) && slices.ContainsFunc(failed, (*sharing).failed) {
		known.Hint = "keyhole list shows whether a link of a failed object was issued: nobody has its URL"
	}
	return err
}

// failed tells whether the last result was a failure of the service.
func (s *sharing) failed() bool { return s.status >= http.StatusInternalServerError }

// undoTimeout bounds the revocation of a link.
const undoTimeout = 10 * time.Second

// printAll prints a table of the links, then their URLs or messages as the last lines.
func (f *shareFlags) printAll(ctx context.Context, env *command.Env, issued []*sharing) error {
	f.describeAll(env, issued)
	links := make([]api.Link, len(issued))
	for i, s := range issued {
		links[i] = s.link
	}
	text := f.textOf(links)
	copied := f.copyText(ctx, env, text)
	var err error
	switch {
	case f.json:
		err = printDocument(env, links, "")
	case f.ndjson:
		err = printLines(env, links)
	default:
		_, err = io.WriteString(env.Stdout, text)
	}
	for i := range links { // even with --quiet
		warnOfEnded(env.Stderr, "the link "+links[i].ID, &links[i])
	}
	if err = errors.Join(err, copied); err != nil {
		return &command.Error{
			Err:  fmt.Errorf("%s issued, but: %w", explain.Plural(len(issued), "link"), err),
			Hint: "keyhole list shows the links; keyhole revoke ID ends one", Code: command.ExitFailed,
		}
	}
	return nil
}

// textOf returns the URLs or messages of links. Messages have several lines, so an empty line
// separates them.
func (f *shareFlags) textOf(links []api.Link) string {
	texts, between := make([]string, len(links)), ""
	for i := range links {
		texts[i] = term.Plain(links[i].URL) + "\n"
		if f.message {
			texts[i], between = messageOf(&links[i], time.Local), "\n"
		}
	}
	return strings.Join(texts, between)
}

// describeAll prints to standard error which link belongs to which object. If nobody can read
// that, the URLs are printed all the same, because they exist nowhere else.
func (f *shareFlags) describeAll(env *command.Env, issued []*sharing) {
	if !f.quiet {
		rows := [][]string{{"ID", "EXPIRES", "OBJECT"}}
		for _, s := range issued {
			rows = append(rows, []string{s.link.ID, onClock(s.link.ExpiresAt, time.Local), s.object.String()})
		}
		fmt.Fprintf(env.Stderr, "Shared    %s\n", explain.Plural(len(issued), "object"))
		_ = term.PrintTable(env.Stderr, rows) // nobody reads standard error if it fails
		fmt.Fprintln(env.Stderr, "  undo      keyhole revoke ID, for each link")
		f.tellClock(env, &issued[0].link)
		for _, s := range issued {
			f.tellRepeated(env.Stderr, &s.link)
		}
	}
	if f.makePassphrase {
		tellPassphrase(env.Stderr, *f.request.Passphrase, f.quiet)
	}
}
