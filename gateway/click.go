package gateway

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"keyhole/signer"
)

// Answer is what a recipient gets.
type Answer struct {
	Outcome  Outcome
	Location string // the presigned URL, where Outcome redirects
}

// Click answers one request for a link. The error is the cause of an
// OutcomeUnavailable or of a failure after the click was admitted, for the log
// alone: the Outcome says everything that the recipient may know.
func (s *Service) Click(ctx context.Context, a Attempt) (Answer, error) {
	begun := s.now()
	admission, err := s.clicks.Admit(ctx, a)
	if err != nil {
		return Answer{Outcome: OutcomeUnavailable}, fmt.Errorf("admit: %w", err)
	}
	if admission.Outcome != OutcomeRedirected {
		return Answer{Outcome: admission.Outcome}, nil
	}
	location, err := s.deliver(ctx, a.Method, &admission.Permission, begun)
	if err != nil {
		return s.fail(ctx, a, err), err
	}
	return Answer{Outcome: OutcomeRedirected, Location: location}, nil
}

// deliver returns the URL that an admitted click is redirected to, unless the
// object is not the approved one any more. Both questions together wait for the
// storage no longer than its timeout.
func (s *Service) deliver(ctx context.Context, method string, p *Permission, begun time.Time) (string, error) {
	storage := s.storage(p.Ref.Storage)
	if storage == nil {
		return "", fmt.Errorf("storage %q is not in the configuration", p.Ref.Storage)
	}
	ctx, cancel := context.WithTimeout(ctx, storage.Timeout)
	defer cancel()
	if err := s.compare(ctx, storage, p); err != nil {
		return "", err
	}
	return s.presign(ctx, storage, method, p, begun)
}

// presign signs for the method that the recipient will follow with, and never
// for longer than the link lives. begun is when the click came: what it has
// waited since is no life of the link any more.
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
	s.metrics.signed(storage.Name, s.now().Sub(signing))
	if err != nil {
		return "", fmt.Errorf("presign: %w", err)
	}
	return signed.URL, nil
}

// lifetimeOf returns how long the URL may live before the link's own end and the
// credential's are considered.
func (s *Service) lifetimeOf(p *Permission) time.Duration {
	if p.Disposition == DispositionInline &&
		(strings.HasPrefix(p.ContentType, "audio/") || strings.HasPrefix(p.ContentType, "video/")) {
		return s.mediaLifetime
	}
	return s.lifetime
}

// fail answers a click that was admitted and then could not be served, and notes
// so beside its count. The recipient has waited long enough: the note is written
// in the background, within redis.timeout.
func (s *Service) fail(ctx context.Context, a Attempt, cause error) Answer {
	outcome := OutcomeUnavailable
	switch {
	case errors.Is(cause, signer.ErrLifetime):
		outcome = OutcomeExpired
	case errors.Is(cause, ErrObjectChanged):
		outcome = OutcomeObjectChanged
	case errors.Is(cause, ErrObjectNotFound):
		outcome = OutcomeObjectGone
	}
	s.notes.Go(func() {
		if err := s.clicks.Fail(context.WithoutCancel(ctx), a, outcome); err != nil {
			s.log.Warn("failed click not noted", "link", a.ID.String(), "error", err)
		}
	})
	return Answer{Outcome: outcome}
}
