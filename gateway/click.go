package gateway

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"keyhole/signer"
)

// Answer is the answer to a recipient.
type Answer struct {
	Outcome  Outcome
	Location string // the presigned URL, if Outcome redirects
	// Page is the confirmation page, if Outcome is OutcomePage or
	// OutcomeWrongPassphrase.
	Page *Page
	// Grant lets the recipient resume the download for GrantAge without another click;
	// empty: no grant.
	Grant    string
	GrantAge time.Duration
	// Limited says that the page of a link with MaxClicks has spent its click, now or with
	// an earlier request that had the same nonce.
	Limited bool
	Wait    time.Duration // until the client may try again, if Outcome is OutcomeRateLimited
	// AttemptsLeft is the number of passphrases that the client may still try now, if
	// Outcome is OutcomeWrongPassphrase. With 0 the client has to wait. AttemptsUnknown
	// means that the form had no possible passphrase, so no attempt was counted.
	AttemptsLeft int
	// Facts are the facts about the link for the page of a refusal. They are nil unless
	// Attempt.Page is set and a check has found that the link exists or existed.
	Facts *Facts
	// Repeated says that the client has caused the same refusal too often within a
	// minute. Such a refusal leaves no event and must not fill the log.
	Repeated bool
}

// Page is the content of a confirmation page.
type Page struct {
	// Link has no facts about the file if the link reveals the file after the passphrase.
	Link   Link
	Nonce  string
	Origin string // of the URL that the form is redirected to
	// ResumeWindow is the time in which a recipient with a grant can resume a confirmed
	// download.
	ResumeWindow time.Duration
}

// Click answers one request for a link. The error is the cause of an OutcomeUnavailable,
// or of a failure after the click was admitted. Write the error to the log only: the
// recipient may learn the Outcome, and nothing else.
func (s *Service) Click(ctx context.Context, a Attempt) (Answer, error) {
	if wait := s.misses.Wait(a.Client); wait > 0 {
		return Answer{Outcome: OutcomeRateLimited, Wait: wait, Repeated: true}, nil
	}
	start := s.now()
	admission, err := s.clicks.Admit(ctx, a)
	var answer Answer
	switch {
	case errors.Is(err, ErrCounted):
		err = fmt.Errorf("admit: %w", err)
		answer = s.fail(ctx, a, err)
	case err != nil:
		return Answer{Outcome: OutcomeUnavailable}, fmt.Errorf("admit: %w", err)
	case admission.Outcome == OutcomeNotFound:
		return s.miss(a), nil
	default:
		answer, err = s.decide(ctx, a, &admission, start)
	}
	if a.Page && showsFacts(answer.Outcome) {
		facts, unread := s.facts(ctx, a.ID, &admission, err)
		answer.Facts, err = facts, errors.Join(err, unread)
	}
	return answer, err
}

// miss answers a click on a link that does not exist. Many guesses can pass the check in
// Click at the same time. Failed counts them: only guesses within the limit get
// OutcomeNotFound.
func (s *Service) miss(a Attempt) Answer {
	s.metrics.clicks.missed()
	if wait := s.misses.Failed(a.Client); wait > 0 {
		return Answer{Outcome: OutcomeRateLimited, Wait: wait, Repeated: true}
	}
	return Answer{Outcome: OutcomeNotFound}
}

// decide answers a click on a link that exists or existed.
func (s *Service) decide(ctx context.Context, a Attempt, admission *Admission, start time.Time) (Answer, error) {
	switch admission.Outcome {
	case OutcomeRedirected:
		location, err := s.redirect(ctx, a, admission, start)
		if err != nil {
			return s.fail(ctx, a, err), err
		}
		return Answer{Outcome: OutcomeRedirected, Location: location}, nil
	case OutcomePage:
		return s.page(ctx, a, admission)
	case "":
		if a.Method == http.MethodPost {
			return s.confirm(ctx, a, admission, start)
		}
		return s.resume(ctx, a, admission, start)
	}
	return s.refuse(ctx, a, admission.Outcome), nil
}

// page answers with the confirmation page. It records an event within the limit of
// refuse, and no event of a HEAD.
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

// resume answers a GET or HEAD with a grant. A valid grant resumes the download without
// another click. resume ignores an invalid grant.
func (s *Service) resume(ctx context.Context, a Attempt, admission *Admission, start time.Time) (Answer, error) {
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
	location, err := s.redirect(ctx, a, admission, start)
	if err != nil {
		return s.refuse(ctx, a, admission.outcomeOf(err)), err
	}
	// The audit must have every redirect, so the event is written before the answer.
	if a.Method != http.MethodHead {
		err := s.clicks.RecordEvent(ctx, a, EventRedirected, OutcomeResumed)
		if errors.Is(err, ErrEnded) { // after Admit
			_, err = s.recheck(ctx, a, admission.Outcome)
			return s.refuse(ctx, a, outcomeOf(err)), err
		}
		if err != nil {
			return Answer{Outcome: OutcomeUnavailable}, fmt.Errorf("record the event: %w", err)
		}
	}
	return Answer{Outcome: OutcomeResumed, Location: location}, nil
}

// confirm answers the form of a confirmation page. It makes all checks and signs the URL
// before it spends the click, so that no click is spent without a URL. The storage may
// have been slow meanwhile, so Spend decides the link again.
func (s *Service) confirm(ctx context.Context, a Attempt, admission *Admission, start time.Time) (Answer, error) {
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
	if locked, err := s.unlock(ctx, &a, p); locked.Outcome != "" {
		answer := s.refuse(ctx, a, locked.Outcome)
		answer.Wait, answer.AttemptsLeft = locked.Wait, locked.AttemptsLeft
		if locked.Outcome == OutcomeWrongPassphrase {
			page, err := s.pageOf(admission)
			if err != nil {
				return Answer{Outcome: OutcomeUnavailable}, err
			}
			answer.Page = page
		}
		return answer, err
	}
	location, err := s.redirect(ctx, a, admission, start)
	if err != nil {
		return s.refuse(ctx, a, admission.outcomeOf(err)), err
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
		Outcome: spent.Outcome, Location: location, Limited: link.MaxClicks > 0,
		Grant: p.Secrets.grant(a.ID, spent.GrantEnd), GrantAge: spent.GrantEnd.Sub(spent.Now),
	}, nil
}

// pageOf returns the confirmation page of a link, with a new nonce.
func (s *Service) pageOf(admission *Admission) (*Page, error) {
	page, err := s.PreviewPage(admission.Link)
	if err != nil {
		return nil, err
	}
	page.Nonce = admission.Permission.Secrets.nonce(admission.Link.ID)
	return page, nil
}

// PreviewPage returns the confirmation page of a link for an operator. It has no nonce, so
// its form starts no download, and it is no click. The link may be a dry run.
func (s *Service) PreviewPage(link *Link) (*Page, error) {
	storage, err := s.storageFor(link.Ref)
	if err != nil {
		return nil, err
	}
	origin, ok := storage.Presigner.Origin(link.Ref.Bucket)
	if !ok {
		return nil, fmt.Errorf("bucket %q is not in the configuration", link.Ref.Bucket)
	}
	return &Page{Link: revealed(link), Origin: origin, ResumeWindow: s.resumeWindow}, nil
}

// revealed returns the part of a link that its page may show before the passphrase. If
// the link reveals the file after the passphrase, revealed omits all facts about the
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

// deliver returns the URL for an admitted click, or an error if the object is no longer
// the approved one. The check of the object and the renewal of credentials share the
// storage's timeout. start is the time at which the click arrived.
func (s *Service) deliver(ctx context.Context, method string, p *Permission, start time.Time) (string, error) {
	storage, err := s.storageFor(p.Ref)
	if err != nil {
		return "", err
	}
	lazy := &lazyTimeout{Context: ctx, timeout: storage.Timeout}
	defer lazy.end()
	if err := s.compare(lazy, storage, p); err != nil {
		return "", err
	}
	return s.presign(lazy, storage, method, p, start)
}

// presign signs the URL for the method with which the recipient follows the redirect. The
// URL never outlives the link: p.Remaining was measured at start, and presign subtracts
// the time since then.
func (s *Service) presign(
	ctx context.Context, storage *Storage, method string, p *Permission, start time.Time,
) (string, error) {
	if method == http.MethodPost {
		method = http.MethodGet // a 303 is followed with GET, RFC 9110 section 15.4.4
	}
	signing := s.now()
	left := p.Remaining - signing.Sub(start)
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

// URLLife returns the longest time for which a presigned URL works that a click on the link
// got. After a revocation, such a URL can work for this long.
func (s *Service) URLLife(link *Link) time.Duration {
	return s.lifetimeOf(&Permission{Disposition: link.Disposition, ContentType: link.Object.ContentType})
}

// lifetimeOf returns the configured lifetime of the URL. The end of the link and the
// expiry of the credential can shorten it.
func (s *Service) lifetimeOf(p *Permission) time.Duration {
	if p.Disposition == DispositionInline && readByRanges(contentType(p.ContentType)) {
		return s.mediaLifetime
	}
	return s.lifetime
}

// outcomeOf returns the outcome of an admitted click that failed with cause. The permission
// of a used-up link ends with its grants. The link has not expired then: it is used up.
func (m *Admission) outcomeOf(cause error) Outcome {
	if m.UsedUp && errors.Is(cause, signer.ErrLifetime) {
		return OutcomeUsedUp
	}
	return outcomeOf(cause)
}

// outcomeOf returns the outcome of a click that failed with cause.
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

// fail answers a click that was admitted and then failed. It records a failed event
// beside the event of the counted click, within the limit of refuse.
func (s *Service) fail(ctx context.Context, a Attempt, cause error) Answer {
	outcome := outcomeOf(cause)
	if wait := s.repeated(a, outcome); wait > 0 {
		return repeatedly(outcome, wait)
	}
	s.recordEvent(ctx, a, EventFailed, outcome)
	return Answer{Outcome: outcome}
}

// repeated counts a refusal for one link and client network. It returns 0 if the limit
// allows recording the refusal, otherwise the time until the limit allows the next one.
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

// repeatedly answers a click that was refused too often to be recorded.
func repeatedly(outcome Outcome, wait time.Duration) Answer {
	if usable(outcome) {
		return Answer{Outcome: outcome, Repeated: true}
	}
	return Answer{Outcome: OutcomeRateLimited, Wait: wait, Repeated: true}
}

// refuse answers a click that was not counted. It records no event of a HEAD, and at
// most maxRefusals within a minute for one link and client network, so that nobody can
// fill the audit and the log with refusals. After that, OutcomeRateLimited replaces the
// refusal of a link that cannot be used. The outcomes of a link that can be used stay,
// because other recipients may share the address.
func (s *Service) refuse(ctx context.Context, a Attempt, outcome Outcome) Answer {
	if wait := s.repeated(a, outcome); wait > 0 {
		return repeatedly(outcome, wait)
	}
	if a.Method != http.MethodHead {
		s.recordEvent(ctx, a, EventRefused, outcome)
	}
	return Answer{Outcome: outcome}
}

// usable reports whether another request may still succeed, because the request or the
// service caused the refusal, and not the link.
func usable(outcome Outcome) bool {
	switch outcome {
	case OutcomeConfirmationRequired, OutcomeWrongPassphrase, OutcomeBadRequest, OutcomeRateLimited, OutcomeUnavailable:
		return true
	}
	return false
}

// recordEvent appends an event of a click. It returns at once: a goroutine writes the
// event within redis.timeout, so that the recipient does not wait.
func (s *Service) recordEvent(ctx context.Context, a Attempt, k EventKind, o Outcome) {
	s.recording.Go(func() {
		if err := s.clicks.RecordEvent(context.WithoutCancel(ctx), a, k, o); err != nil {
			s.log.Warn("event of a click not recorded",
				"link", a.ID.String(), "kind", string(k), "outcome", string(o), "error", err)
		}
	})
}
