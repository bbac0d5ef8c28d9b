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
	location, err := s.presign(ctx, a.Method, &admission.Permission, begun)
	if err != nil {
		return s.fail(ctx, a, err), err
	}
	return Answer{Outcome: OutcomeRedirected, Location: location}, nil
}

// presign signs the URL that an admitted click is redirected to: for the method
// that the recipient will follow with, and never for longer than the link lives.
// begun is when the click came: what it has waited since, for Redis or for
// credentials, is no life of the link any more.
func (s *Service) presign(ctx context.Context, method string, p *Permission, begun time.Time) (string, error) {
	storage := s.storage(p.Ref.Storage)
	if storage == nil {
		return "", fmt.Errorf("storage %q is not in the configuration", p.Ref.Storage)
	}
	if method == http.MethodPost {
		method = http.MethodGet // a 303 is followed with GET, RFC 9110 section 15.4.4
	}
	ctx, cancel := context.WithTimeout(ctx, storage.Timeout)
	defer cancel()
	signing := s.now()
	signed, err := storage.Presigner.Presign(ctx, signer.Request{
		Method: method, Bucket: p.Ref.Bucket, Key: p.Ref.Key, VersionID: p.VersionID,
		ContentDisposition: contentDisposition(p.Disposition, SaveAs(p.Filename, p.Ref.Key)),
		Lifetime:           min(s.lifetimeOf(p), p.Remaining-signing.Sub(begun)),
	})
	done := s.now()
	s.metrics.signed(storage.Name, done.Sub(signing))
	if err != nil {
		return "", fmt.Errorf("presign: %w", err)
	}
	// The signature is dated when it is made, after any wait.
	if signed.Lifetime+done.Sub(begun) > p.Remaining+slack {
		return "", fmt.Errorf("presign: %w after a wait of %s", signer.ErrLifetime, done.Sub(signing))
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

// slack is what a signed URL may outlive its link by: what it takes to sign.
const slack = 100 * time.Millisecond

// fail answers a click that was admitted and then could not be served, and notes
// so beside its count. The recipient has waited long enough: the note is written
// in the background, within redis.timeout.
func (s *Service) fail(ctx context.Context, a Attempt, cause error) Answer {
	outcome := OutcomeUnavailable
	if errors.Is(cause, signer.ErrLifetime) {
		outcome = OutcomeExpired
	}
	s.notes.Go(func() {
		if err := s.clicks.Fail(context.WithoutCancel(ctx), a, outcome); err != nil {
			s.log.Warn("failed click not noted", "link", a.ID.String(), "error", err)
		}
	})
	return Answer{Outcome: outcome}
}
