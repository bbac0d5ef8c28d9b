package gateway

import (
	"bytes"
	"context"
	"crypto/hkdf"
	"crypto/sha256"
	"errors"
	"fmt"
	"runtime/debug"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// MaxBatch is the largest number of links that one batch issues.
const MaxBatch = 100

// batchParallel is the number of links of one batch that are issued at the same time. Each
// issue reads its object, so this number limits the concurrent requests to the storages.
const batchParallel = 8

// BatchRequest asks for several links.
type BatchRequest struct {
	// Links are the requests, 1 to MaxBatch. IssueBatch replaces their Idempotency and
	// DryRun.
	Links []IssueRequest
	// DryRun makes all checks and issues no link. It ignores Idempotency, so that the same
	// key can be used for the batch afterwards.
	DryRun bool
	// Idempotency makes the whole batch safe to repeat; nil: a repeat issues other links.
	Idempotency *Idempotency
}

// BatchResult is the result of one link of a batch.
type BatchResult struct {
	Issued Issued
	Err    error // an error of Issue; nil: the link was issued, or with DryRun could be
}

// IssueBatch issues several links. The results have the order of the requests. Each link
// succeeds or fails on its own, with the errors of Issue. If IssueBatch itself returns an
// error, it issued none of the links.
//
// With an Idempotency, a repeated request returns the same links with the same tokens, and
// issues the links that an earlier request did not issue.
func (s *Service) IssueBatch(ctx context.Context, actor *Actor, req *BatchRequest) ([]BatchResult, error) {
	if err := actor.Allowed(ActionIssue); err != nil {
		return nil, err
	}
	switch n := len(req.Links); {
	case n == 0:
		return nil, Invalid("links", "required", "send at least one link")
	case n > MaxBatch:
		return nil, Invalid("links", "too_many", fmt.Sprintf("there are %d links; the limit of a batch is %d", n, MaxBatch))
	}
	tokens := newBatchTokens(ctx, s, req)
	if err := tokens.readReservation(ctx); err != nil {
		return nil, err
	}
	results := make([]BatchResult, len(req.Links))
	var taken atomic.Int64
	var working sync.WaitGroup
	for range min(batchParallel, len(results)) {
		working.Go(func() {
			for i := int(taken.Add(1)) - 1; i < len(results); i = int(taken.Add(1)) - 1 {
				results[i] = s.issueOfBatch(ctx, actor, req, tokens, i)
			}
		})
	}
	working.Wait()
	return results, nil
}

// errBatchPanic is the error of a link whose issue panicked.
var errBatchPanic = errors.New("the issue of a link panicked")

// issueOfBatch issues one link of a batch. It turns a panic into an error, because the
// server recovers panics only in its own goroutines. The value of a panic may contain a
// secret, so only the stack is logged.
func (s *Service) issueOfBatch(
	ctx context.Context, actor *Actor, req *BatchRequest, tokens *batchTokens, i int,
) (result BatchResult) {
	defer func() {
		if recover() != nil {
			s.log.Error("the issue of a link panicked", "stack", string(debug.Stack()))
			result = BatchResult{Err: errBatchPanic}
		}
	}()
	if err := ctx.Err(); err != nil {
		return BatchResult{Err: &Error{Code: CodeUnavailable, Message: batchNotIssued, Err: err}}
	}
	link := req.Links[i]
	link.DryRun = req.DryRun
	link.Idempotency = &Idempotency{batch: tokens, index: i}
	issued, err := s.Issue(ctx, actor, &link)
	return BatchResult{Issued: issued, Err: tokens.explain(i, err)}
}

// The messages for a link of a batch if Redis or a storage did not answer.
const (
	batchNotIssued = "Redis or the storage is unavailable, or the request took too long; " +
		"the link was not issued; repeat the batch"
	batchUnknown = "Redis did not answer in time, so the link may have been issued; " +
		"repeat the batch with the same Idempotency-Key to get the link"
	batchLost = "Redis did not answer in time, so the link may have been issued, but nobody has its URL; " +
		"send an Idempotency-Key to be able to repeat a batch"
)

// batchTokens provides the tokens of a batch. With an Idempotency-Key, Redis keeps one
// seed, encrypted like the token of a single link, and every token is derived from the
// seed and the link's position. So one reservation is enough for the whole batch.
type batchTokens struct {
	// key is the Idempotency of the batch; nil: each token is drawn on its own.
	key *Idempotency
	// service reads the reservation.
	service *Service
	// earlier is the seed that an earlier request reserved, or "". age is the age of that
	// reservation.
	earlier string
	age     time.Duration
	// seed returns the seed of the batch. The first call reserves the seed in Redis.
	seed func() (string, error)
	// drawn is set for each link whose token was drawn: such a link may exist.
	drawn []atomic.Bool
}

// newBatchTokens returns the tokens of a batch.
func newBatchTokens(ctx context.Context, s *Service, req *BatchRequest) *batchTokens {
	t := &batchTokens{service: s, drawn: make([]atomic.Bool, len(req.Links))}
	if !req.DryRun {
		t.key = req.Idempotency
	}
	t.seed = sync.OnceValues(func() (string, error) { return s.tokenFor(ctx, t.key) })
	return t
}

// readReservation reads the seed of an earlier request. A request that differs from the
// earlier one gets CodeIdempotencyConflict.
func (t *batchTokens) readReservation(ctx context.Context) (err error) {
	if t.key != nil {
		t.earlier, t.age, err = t.service.reserved(ctx, t.key)
	}
	return err
}

// reserved returns the token of a link that an earlier request reserved, and the age of
// the reservation.
func (t *batchTokens) reserved(index int) (string, time.Duration, error) {
	if t.earlier == "" {
		return "", 0, nil
	}
	token, err := deriveToken(t.earlier, index)
	return token, t.age, err
}

// draw returns the token of a new link.
func (t *batchTokens) draw(index int) (token string, err error) {
	if t.key == nil {
		token, err = drawToken()
	} else if token, err = t.seed(); err == nil {
		token, err = deriveToken(token, index)
	}
	t.drawn[index].Store(err == nil)
	return token, err
}

// explain returns the error of a link. If Redis or a storage did not answer, the message
// says whether the link may have been issued, and how to get its URL.
func (t *batchTokens) explain(index int, err error) error {
	known, ok := errors.AsType[*Error](err)
	if !ok || known.Code != CodeUnavailable {
		return err
	}
	message := batchNotIssued
	switch {
	case t.drawn[index].Load() && t.key != nil, t.earlier != "":
		message = batchUnknown
	case t.drawn[index].Load():
		message = batchLost
	}
	return &Error{Code: known.Code, Message: message, Fields: known.Fields, Wait: known.Wait, Err: err}
}

// deriveToken derives the token of a link from the seed of its batch. The seed is as random
// as a token, and only the encrypted reservation contains it. So a derived token is as hard
// to guess as a drawn token, and no token of a batch reveals another one.
func deriveToken(seed string, index int) (string, error) {
	// NewToken drops one byte of ten, so 256 bytes are enough for 22 characters.
	stream, err := hkdf.Key(sha256.New, []byte(seed), nil, "keyhole batch token\x00"+strconv.Itoa(index), 256)
	if err != nil {
		return "", fmt.Errorf("derive a token: %w", err)
	}
	return NewToken(bytes.NewReader(stream))
}

// preview returns the link that a request without DryRun would issue. Its times are those
// of this machine's clock; Redis sets the times of a new link.
func (s *Service) preview(link Link, storage *Storage, life time.Duration) (Issued, error) {
	link.CreatedAt = s.now().Truncate(time.Millisecond)
	link.ExpiresAt = link.CreatedAt.Add(life)
	if link.NotBefore.After(link.CreatedAt) {
		link.State = StateNotYet
	}
	if !link.NotBefore.Before(link.ExpiresAt) {
		return Issued{}, neverValid(ErrNeverValid)
	}
	link.Warnings, link.Notes = s.warnings(&link, storage, life), notes(&link)
	return Issued{Link: link}, nil
}

// neverValid refuses a link that would end before its not_before.
func neverValid(cause error) *Error {
	return invalidBecause(cause, "not_before", "invalid", "the link would end before it begins")
}
