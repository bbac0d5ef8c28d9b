package gateway

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"
)

// recheckAfter is the time that a click may wait for the storage and its credentials.
// After a longer wait, Keyhole asks the store again whether the link is valid. A
// revocation that was acknowledged meanwhile must stop the redirect.
const recheckAfter = 100 * time.Millisecond

// errRecheck means that the store did not answer the second check.
var errRecheck = errors.New("check the link again")

// refusedError means that the store first admitted a click and refused it at the second
// check.
type refusedError struct{ outcome Outcome }

// Error names the outcome.
func (e *refusedError) Error() string {
	return fmt.Sprintf("refused after waiting for the storage: %s", e.outcome)
}

// redirect returns the URL for an admitted click. If the storage was slow, redirect asks
// the store again and signs again for the remaining life of the link, because an
// operator may have shortened it.
func (s *Service) redirect(ctx context.Context, a Attempt, admission *Admission, start time.Time) (string, error) {
	delivering := s.now()
	location, err := s.deliver(ctx, a.Method, &admission.Permission, start)
	rechecking := s.now()
	if err != nil || rechecking.Sub(delivering) < recheckAfter {
		return location, err
	}
	again, err := s.recheck(ctx, a, admission.Outcome)
	if err != nil {
		return "", err
	}
	if again.Secrets.Passphrase != admission.Permission.Secrets.Passphrase {
		return "", &refusedError{OutcomeConfirmationRequired} // The recipient entered the previous passphrase.
	}
	storage, err := s.storageFor(again.Ref)
	if err != nil {
		return "", err
	}
	lazy := &lazyTimeout{Context: ctx, timeout: storage.Timeout}
	defer lazy.end()
	return s.presign(lazy, storage, a.Method, again, rechecking)
}

// recheck asks the store whether a click with the outcome admitted would have the same
// outcome now. It asks as HEAD, which counts no click and leaves no event.
func (s *Service) recheck(ctx context.Context, a Attempt, admitted Outcome) (*Permission, error) {
	confirming := a.Method == http.MethodPost && a.Form != nil
	a.Method, a.Page = http.MethodHead, false
	again, err := s.clicks.Admit(ctx, a)
	switch {
	case err != nil:
		return nil, fmt.Errorf("%w: %w", errRecheck, err)
	case again.Outcome == admitted && admitted == OutcomeRedirected:
		return &again.Permission, nil
	case again.Outcome == admitted && again.Permission.Secrets.granted(a.ID, a.Grant, again.Now):
		return &again.Permission, nil
	case again.Outcome == admitted && confirming:
		return &again.Permission, nil // Spend decides whether a click is left.
	case again.UsedUp:
		return nil, &refusedError{OutcomeUsedUp}
	case again.Outcome == admitted:
		return nil, &refusedError{OutcomeConfirmationRequired}
	case again.Outcome == "" || again.Outcome == OutcomeRedirected || again.Outcome == OutcomePage:
		return nil, &refusedError{OutcomeUnavailable} // The link needs no confirmation any more: the next click works.
	}
	return nil, &refusedError{again.Outcome}
}
