package gateway

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"keyhole/signer"
)

// Answer is what a recipient gets.
type Answer struct {
	Outcome  Outcome
	Location string // the presigned URL, where Outcome redirects
	// Page is what a confirmation page shows, where Outcome is OutcomePage or
	// OutcomeWrongPassphrase.
	Page *Page
	// Grant is what lets the recipient go on without another click, for
	// GrantAge; empty: nothing does.
	Grant    string
	GrantAge time.Duration
	Wait     time.Duration // how long OutcomeRateLimited lasts
	// Repeated says that so many like it came from this address within a minute that
	// nothing more is recorded or logged of them.
	Repeated bool
}

// Page is what a confirmation page shows and sends.
type Page struct {
	// Link has nothing about the file where that is shown after the passphrase.
	Link   Link
	Nonce  string
	Origin string // of the URL that its form will be redirected to
	// ResumeWindow is how long a confirmed click may be gone on with.
	ResumeWindow time.Duration
}

// Click answers one request for a link. The error is the cause of an
// OutcomeUnavailable or of a failure after the click was admitted, for the log
// alone: the Outcome says everything that the recipient may know.
func (s *Service) Click(ctx context.Context, a Attempt) (Answer, error) {
	if wait := s.misses.Wait(a.Client); wait > 0 {
		return Answer{Outcome: OutcomeRateLimited, Wait: wait, Repeated: true}, nil
	}
	begun := s.now()
	admission, err := s.clicks.Admit(ctx, a)
	if errors.Is(err, ErrCounted) {
		return s.fail(ctx, a, err), fmt.Errorf("admit: %w", err)
	}
	if err != nil {
		return Answer{Outcome: OutcomeUnavailable}, fmt.Errorf("admit: %w", err)
	}
	switch admission.Outcome {
	case OutcomeRedirected:
		location, err := s.redirect(ctx, a, &admission, begun)
		if err != nil {
			return s.fail(ctx, a, err), err
		}
		return Answer{Outcome: OutcomeRedirected, Location: location}, nil
	case OutcomePage:
		return s.page(ctx, a, &admission)
	case OutcomeNotFound:
		s.metrics.clicks.missed()
		// The guesses that came before the limit was reached are all under way now.
		// Only those within the limit are told that there is no such link.
		if wait := s.misses.Failed(a.Client); wait > 0 {
			return Answer{Outcome: OutcomeRateLimited, Wait: wait, Repeated: true}, nil
		}
		return Answer{Outcome: OutcomeNotFound}, nil
	case "":
		if a.Method == http.MethodPost {
			return s.confirm(ctx, a, &admission, begun)
		}
		return s.resume(ctx, a, &admission, begun)
	}
	return s.refuse(ctx, a, admission.Outcome), nil
}

// page answers with the confirmation page. A HEAD leaves no event, and neither do
// more pages within a minute than refusals would.
func (s *Service) page(ctx context.Context, a Attempt, admission *Admission) (Answer, error) {
	if a.Method != http.MethodHead && s.repeated(a, OutcomePage) == 0 {
		s.recordEvent(ctx, a, EventPage, OutcomePage)
	}
	page, err := s.pageOf(admission)
	if err != nil {
		return Answer{Outcome: OutcomeUnavailable}, err
	}
	return Answer{Outcome: OutcomePage, Page: page}, nil
}

// resume answers a GET or HEAD that came with a grant: who has one goes on
// without another click, and who only thinks so is answered as without.
func (s *Service) resume(ctx context.Context, a Attempt, admission *Admission, begun time.Time) (Answer, error) {
	p := &admission.Permission
	if !p.Secrets.granted(a.ID, a.Grant, admission.Now) {
		switch {
		case admission.UsedUp:
			return s.refuse(ctx, a, OutcomeUsedUp), nil
		case !a.Page:
			return s.refuse(ctx, a, OutcomeConfirmationRequired), nil
		}
		return s.page(ctx, a, admission)
	}
	location, err := s.redirect(ctx, a, admission, begun)
	if err != nil {
		return s.refuse(ctx, a, outcomeOf(err)), err
	}
	// Who was redirected is written down before the redirect is given.
	if a.Method != http.MethodHead {
		err := s.clicks.Note(ctx, a, EventRedirected, OutcomeResumed)
		if errors.Is(err, ErrEnded) { // meanwhile
			_, err = s.recheck(ctx, a, admission.Outcome)
			return s.refuse(ctx, a, outcomeOf(err)), err
		}
		if err != nil {
			return Answer{Outcome: OutcomeUnavailable}, fmt.Errorf("note: %w", err)
		}
	}
	return Answer{Outcome: OutcomeResumed, Location: location}, nil
}

// confirm answers the form of a confirmation page. Everything that could refuse
// is asked, and the URL signed, before the click is spent: what is spent is
// delivered. Spending checks the link again, however slow the storage was.
func (s *Service) confirm(ctx context.Context, a Attempt, admission *Admission, begun time.Time) (Answer, error) {
	p := &admission.Permission
	nonce := ""
	if a.Form != nil {
		nonce = p.Secrets.readNonce(a.ID, a.Form.Nonce)
	}
	switch {
	case admission.UsedUp && nonce == "":
		return s.refuse(ctx, a, OutcomeUsedUp), nil
	case a.Form == nil || !a.Form.Confirm:
		return s.refuse(ctx, a, OutcomeBadRequest), nil
	}
	if outcome, wait, err := s.unlock(ctx, &a, p); outcome != "" {
		answer := s.refuse(ctx, a, outcome)
		answer.Wait = wait
		if outcome == OutcomeWrongPassphrase {
			page, err := s.pageOf(admission)
			if err != nil {
				return Answer{Outcome: OutcomeUnavailable}, err
			}
			answer.Page = page
		}
		return answer, err
	}
	location, err := s.redirect(ctx, a, admission, begun)
	if err != nil {
		return s.refuse(ctx, a, outcomeOf(err)), err
	}
	link := admission.Link
	spent, err := s.clicks.Spend(ctx, a, Spending{
		Nonce: nonce, Window: s.resumeWindow, Last: link.MaxClicks > 0 && link.Clicks+1 >= link.MaxClicks,
	})
	if err != nil {
		return Answer{Outcome: OutcomeUnavailable}, fmt.Errorf("spend: %w", err)
	}
	if spent.GrantEnd.IsZero() {
		return s.refuse(ctx, a, spent.Outcome), nil
	}
	return Answer{
		Outcome: spent.Outcome, Location: location,
		Grant: p.Secrets.grant(a.ID, spent.GrantEnd), GrantAge: spent.GrantEnd.Sub(spent.Now),
	}, nil
}

// unlock compares the passphrase that a form has, where the link asks for one. A
// try is reserved before anything is hashed, and given back where it was right,
// or was not looked at. An empty outcome lets the click pass.
func (s *Service) unlock(ctx context.Context, a *Attempt, p *Permission) (_ Outcome, wait time.Duration, _ error) {
	kept := p.Secrets.Passphrase
	if kept == "" {
		return "", 0, nil
	}
	if a.Form.Passphrase == "" || len(a.Form.Passphrase) > maxPassphrase {
		return OutcomeWrongPassphrase, 0, nil // No link has such a one.
	}
	try, err := s.clicks.Try(ctx, a.ID, p.Secrets.clientKey(a.ID, a))
	if err != nil {
		return OutcomeUnavailable, 0, fmt.Errorf("reserve a try: %w", err)
	}
	if try.Reserved == "" {
		return OutcomeRateLimited, try.Wait, nil
	}
	right, err := s.hasher.matches(ctx, a.Form.Passphrase, kept)
	if err == nil && !right {
		return OutcomeWrongPassphrase, 0, nil
	}
	if err := errors.Join(err, s.clicks.Untry(ctx, a.ID, try)); err != nil {
		return OutcomeUnavailable, 0, fmt.Errorf("compare the passphrase: %w", err)
	}
	return "", 0, nil
}

// pageOf makes the page of a link that needs confirmation, with a nonce of its
// own.
func (s *Service) pageOf(admission *Admission) (*Page, error) {
	ref := admission.Link.Ref
	storage, err := s.storageFor(ref)
	if err != nil {
		return nil, err
	}
	origin, ok := storage.Presigner.Origin(ref.Bucket)
	if !ok {
		return nil, fmt.Errorf("bucket %q is not in the configuration", ref.Bucket)
	}
	return &Page{
		Link: revealed(admission.Link), Nonce: admission.Permission.Secrets.nonce(admission.Link.ID),
		Origin: origin, ResumeWindow: s.resumeWindow,
	}, nil
}

// revealed returns what a page may show of a link before anything has been handed
// in. Of a link that reveals its file after the passphrase it says nothing about the
// file.
func revealed(link *Link) Link {
	if link.Reveal != RevealAfter {
		return *link
	}
	return Link{
		ID: link.ID, State: link.State, Action: link.Action, Reveal: link.Reveal,
		CreatedAt: link.CreatedAt, ExpiresAt: link.ExpiresAt, NotBefore: link.NotBefore,
		Passphrase: link.Passphrase, Confirm: link.Confirm, MaxClicks: link.MaxClicks, Clicks: link.Clicks,
		Language: link.Language, Sender: link.Sender,
	}
}

// deliver returns the URL that an admitted click is redirected to, unless the
// object is not the approved one any more. Both questions together wait for the
// storage no longer than its timeout. begun is when the click came.
func (s *Service) deliver(ctx context.Context, method string, p *Permission, begun time.Time) (string, error) {
	storage, err := s.storageFor(p.Ref)
	if err != nil {
		return "", err
	}
	lazy := &lazyTimeout{Context: ctx, timeout: storage.Timeout}
	defer lazy.end()
	if err := s.compare(lazy, storage, p); err != nil {
		return "", err
	}
	return s.presign(lazy, storage, method, p, begun)
}

// presign signs for the method that the recipient will follow with, and never
// for longer than the link lives: what the click has waited since begun is no life
// of the link any more.
func (s *Service) presign(ctx context.Context, storage *Storage, method string, p *Permission, begun time.Time) (string, error) {
	if method == http.MethodPost {
		method = http.MethodGet // a 303 is followed with GET, RFC 9110 section 15.4.4
	}
	signing := s.now()
	left := p.Remaining - signing.Sub(begun)
	if left <= 0 {
		return "", fmt.Errorf("presign: %w", signer.ErrLifetime)
	}
	signed, err := storage.Presigner.Presign(ctx, signer.Request{
		Method: method, Bucket: p.Ref.Bucket, Key: p.Ref.Key, VersionID: p.VersionID,
		ContentDisposition: contentDisposition(p.Disposition, SaveAs(p.Filename, p.Ref.Key)),
		ContentType:        contentType(p.ContentType),
		Lifetime:           s.lifetimeOf(p),
		Within:             left,
	})
	s.metrics.clicks.signed(storage.Name, s.now().Sub(signing))
	if err != nil {
		return "", fmt.Errorf("presign: %w", err)
	}
	return signed.URL, nil
}

// lifetimeOf returns how long the URL may live before the link's own end and the
// credential's are considered.
func (s *Service) lifetimeOf(p *Permission) time.Duration {
	if p.Disposition == DispositionInline && readByRanges(contentType(p.ContentType)) {
		return s.mediaLifetime
	}
	return s.lifetime
}

// outcomeOf tells a recipient why a click could not be delivered.
func outcomeOf(cause error) Outcome {
	var refused *refusedError
	switch {
	case errors.As(cause, &refused):
		return refused.outcome
	case errors.Is(cause, signer.ErrLifetime):
		return OutcomeExpired
	case errors.Is(cause, ErrObjectChanged):
		return OutcomeObjectChanged
	case errors.Is(cause, ErrObjectNotFound):
		return OutcomeObjectGone
	case errors.Is(cause, ErrObjectArchived):
		return OutcomeObjectArchived
	}
	return OutcomeUnavailable
}

// fail answers a click that was admitted and then could not be served, and notes
// so beside its count, unless there were as many within a minute as refusals may be.
func (s *Service) fail(ctx context.Context, a Attempt, cause error) Answer {
	outcome := outcomeOf(cause)
	if wait := s.repeated(a, outcome); wait > 0 {
		return repeatedly(outcome, wait)
	}
	s.recordEvent(ctx, a, EventFailed, outcome)
	return Answer{Outcome: outcome}
}

// repeated counts a refusal of one link and address, and returns how long it takes until
// another is recorded, 0 where this one is.
func (s *Service) repeated(a Attempt, outcome Outcome) time.Duration {
	class := refusalOfRequest
	switch {
	case a.Method == http.MethodHead:
		class = refusalOfHead
	case outcome == OutcomeWrongPassphrase:
		class = refusalOfPassphrase
	}
	return s.refusals.failed(linkSubject(a.ID, a.Client, class))
}

// repeatedly answers what has been refused too often to be recorded.
func repeatedly(outcome Outcome, wait time.Duration) Answer {
	if usable(outcome) {
		return Answer{Outcome: outcome, Repeated: true}
	}
	return Answer{Outcome: OutcomeRateLimited, Wait: wait, Repeated: true}
}

// refuse answers a click of which nothing was counted. A HEAD leaves no event. Of one
// link and address maxRefusals within a minute are recorded: whoever has a link, or
// had one, must not fill the audit and the log with it. Then the refusal of a link that
// cannot be used is replaced by OutcomeRateLimited; a link that can be used is answered
// as before, because others may share the address.
func (s *Service) refuse(ctx context.Context, a Attempt, outcome Outcome) Answer {
	if wait := s.repeated(a, outcome); wait > 0 {
		return repeatedly(outcome, wait)
	}
	if a.Method != http.MethodHead {
		s.recordEvent(ctx, a, EventRefused, outcome)
	}
	return Answer{Outcome: outcome}
}

// usable tells whether a refused link could be used by another request: what was wrong
// is the request, or the service.
func usable(outcome Outcome) bool {
	switch outcome {
	case OutcomeConfirmationRequired, OutcomeWrongPassphrase, OutcomeBadRequest, OutcomeRateLimited, OutcomeUnavailable:
		return true
	}
	return false
}

// note appends an event to the link's. The recipient has waited long enough: it
// is written in the background, within redis.timeout.
func (s *Service) recordEvent(ctx context.Context, a Attempt, k EventKind, o Outcome) {
	s.recording.Go(func() {
		if err := s.clicks.Note(context.WithoutCancel(ctx), a, k, o); err != nil {
			s.log.Warn("event of a click not noted", "link", a.ID.String(), "kind", string(k), "outcome", string(o), "error", err)
		}
	})
}
