package gateway

import (
	"context"
	"errors"
	"maps"
	"slices"
	"testing"
	"time"
)

// retryOf returns what makes a request safe to repeat.
func retryOf(t *testing.T, operatorKey, idempotencyKey, request string) *Idempotency {
	t.Helper()
	r, err := NewIdempotency(operatorKey, idempotencyKey, []byte(request))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// issueAgain issues a link to exports/a under a retry.
func issueAgain(t *testing.T, f *fixture, r *Idempotency) (Issued, error) {
	t.Helper()
	return f.service.Issue(t.Context(), everything(), &IssueRequest{Bucket: "exports", Key: "a", Idempotency: r})
}

func TestRepeatedIssueIsTheSameLink(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil)
	first, err := issueAgain(t, f, retryOf(t, "operator", "k", "body"))
	if err != nil {
		t.Fatal(err)
	}
	f.store.repeat()
	// Whatever has become of the object: what was made is what is answered.
	f.objects.err = ErrObjectNotFound
	second, err := issueAgain(t, f, retryOf(t, "operator", "k", "body"))
	if err != nil || second.Token != first.Token || second.Link.ID != first.Link.ID ||
		!slices.Equal(second.Link.Warnings, first.Link.Warnings) || len(f.store.created) != 1 {
		t.Errorf("got %+v, %v with %d links, want %+v", second.Link, err, len(f.store.created), first.Link)
	}
	if n := f.series(t)["keyhole_links_issued_total{preset=troubleshooting,storage=main}"]; n != 1 {
		t.Errorf("%v links counted", n)
	}
}

func TestAnotherRequestIsNoRetry(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil)
	first, err := issueAgain(t, f, retryOf(t, "operator", "k", "body"))
	if err != nil {
		t.Fatal(err)
	}
	f.store.repeat()
	_, err = issueAgain(t, f, retryOf(t, "operator", "k", "another body"))
	wantCode(t, err, CodeIdempotencyConflict)
	for name, r := range map[string]*Idempotency{
		"another key": retryOf(t, "operator", "l", "body"), "another operator": retryOf(t, "other", "k", "body"),
		"the border between the two": retryOf(t, "operato", "rk", "body"), "none": nil,
	} {
		other, err := issueAgain(t, f, r)
		if err != nil || other.Token == first.Token {
			t.Errorf("%s: got the same link: %v, %v", name, other.Token == first.Token, err)
		}
	}
}

// A try that failed after it had reserved a token is finished by the next one, with
// that very token.
func TestRetryFinishesWhatWasLeftUndone(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil)
	f.store.err = ErrUnavailable
	_, err := issueAgain(t, f, retryOf(t, "operator", "k", "body"))
	wantCode(t, err, CodeUnavailable)
	if len(f.store.sealed) != 1 || len(f.store.created) != 0 {
		t.Fatalf("%d reservations, %d links", len(f.store.sealed), len(f.store.created))
	}
	f.store.repeat()
	f.store.err = nil
	sealed := slices.Collect(maps.Values(f.store.sealed))[0]
	want, err := retryOf(t, "operator", "k", "body").unpack(sealed)
	if err != nil {
		t.Fatal(err)
	}
	issued, err := issueAgain(t, f, retryOf(t, "operator", "k", "body"))
	if err != nil || issued.Token != want {
		t.Errorf("got the reserved token: %v, %v", issued.Token == want, err)
	}
}

// A link that was made, revoked and forgotten is not brought back by a late retry.
func TestLateRetryBringsNothingBack(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil)
	first, err := issueAgain(t, f, retryOf(t, "operator", "k", "body"))
	if err != nil {
		t.Fatal(err)
	}
	f.store.repeat()
	f.store.age = 23 * time.Hour
	if again, err := issueAgain(t, f, retryOf(t, "operator", "k", "body")); err != nil || again.Token != first.Token {
		t.Errorf("while it is known: %v", err)
	}
	delete(f.store.links, first.Link.ID)
	f.store.age = maxReissueAge + 1
	_, err = issueAgain(t, f, retryOf(t, "operator", "k", "body"))
	wantCode(t, err, CodeIdempotencyConflict)
	if len(f.store.created) != 1 {
		t.Error("the token lives again")
	}
}

// A link that was not made is made by a retry within half an hour.
func TestRetryWithinHalfAnHour(t *testing.T) {
	t.Parallel()
	for age, made := range map[time.Duration]bool{30 * time.Minute: true, 30*time.Minute + 1: false} {
		f := newFixture(t, nil)
		first, err := issueAgain(t, f, retryOf(t, "operator", "k", "body"))
		if err != nil {
			t.Fatal(err)
		}
		f.store.repeat()
		delete(f.store.links, first.Link.ID)
		f.store.age = age
		if _, err := issueAgain(t, f, retryOf(t, "operator", "k", "body")); (err == nil) != made {
			t.Errorf("after %v: %v", age, err)
		}
	}
}

// What is kept for a retry and is too short is a damaged record.
func TestShortReservation(t *testing.T) {
	t.Parallel()
	r := retryOf(t, "operator", "k", "body")
	for _, n := range []int{0, 31, 32} {
		sealed := r.seal.Seal(nil, nil, make([]byte, n), []byte(r.name)) //nolint:gosec // It draws its nonce itself.
		if token, err := r.unpack(sealed); token != "" || !errors.Is(err, ErrRecord) {
			t.Errorf("of %d bytes: token %q, %v", n, token, err)
		}
	}
}

// racing is a store in which another try comes between the look and the reservation.
type racing struct {
	*stubStore

	between func()
}

func (r *racing) Reserve(ctx context.Context, name string, sealed []byte) ([]byte, error) {
	if between := r.between; between != nil {
		r.between = nil
		between()
	}
	return r.stubStore.Reserve(ctx, name, sealed)
}

func TestTwoTriesAtOnceAreOneLink(t *testing.T) {
	t.Parallel()
	store := &racing{}
	f := newFixture(t, func(o *Options) {
		store.stubStore = o.Links.(*stubStore)
		o.Reservations = store
	})
	var first Issued
	store.between = func() {
		var err error
		if first, err = issueAgain(t, f, retryOf(t, "operator", "k", "body")); err != nil {
			t.Error(err)
		}
		store.repeat()
	}
	second, err := issueAgain(t, f, retryOf(t, "operator", "k", "body"))
	if err != nil || second.Token != first.Token || len(f.store.created) != 1 {
		t.Errorf("the same token: %v, %v, with %d links", second.Token == first.Token, err, len(f.store.created))
	}
}

// What is kept cannot be opened by anybody else, nor be put in another's place.
func TestReservationIsSealed(t *testing.T) {
	t.Parallel()
	token, err := drawToken()
	if err != nil {
		t.Fatal(err)
	}
	sealed := retryOf(t, "operator", "k", "body").pack(token)
	if slices.Equal(sealed, retryOf(t, "operator", "k", "body").pack(token)) {
		t.Error("sealed twice it looks the same")
	}
	other := retryOf(t, "other", "k", "body")
	flipped := slices.Clone(sealed)
	flipped[len(flipped)-1] ^= 1
	for name, kept := range map[string][]byte{"another's": sealed, "nothing": nil, "short": sealed[:20]} {
		if _, err := other.unpack(kept); !errors.Is(err, ErrRecord) {
			t.Errorf("%s: got %v, want ErrRecord", name, err)
		}
	}
	if _, err := retryOf(t, "operator", "k", "body").unpack(flipped); !errors.Is(err, ErrRecord) {
		t.Errorf("flipped: got %v, want ErrRecord", err)
	}
}

func TestRetryIsRefusedWhatTheKeyMayNotDoAnyMore(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil)
	if _, err := issueAgain(t, f, retryOf(t, "operator", "k", "body")); err != nil {
		t.Fatal(err)
	}
	f.store.repeat()
	actor := everything()
	actor.Objects = []Pattern{"reports/*"}
	_, err := f.service.Issue(t.Context(), actor,
		&IssueRequest{Bucket: "exports", Key: "a", Idempotency: retryOf(t, "operator", "k", "body")})
	wantCode(t, err, CodeOutOfScope)
	actor = everything()
	actor.MaxExpiry = time.Minute // of links that are made now
	if _, err := f.service.Issue(t.Context(), actor,
		&IssueRequest{Bucket: "exports", Key: "a", Idempotency: retryOf(t, "operator", "k", "body")}); err != nil {
		t.Errorf("a link that was made before: %v", err)
	}
}
