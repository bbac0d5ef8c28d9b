package client

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"

	"keyhole/gateway/api"
)

// IssueBatch issues up to 100 links. Each link of the answer has its own result: a link
// with its URL, or a problem. If no complete answer comes, IssueBatch repeats the request
// once with the same Idempotency-Key, which returns the same links. If some
// results have status 503, call IssueBatch again with the same request and the same
// IdempotencyKey to complete the batch. IssueBatch returns ErrNotUTF8 like Issue.
func (c *Client) IssueBatch(ctx context.Context, r api.BatchRequest) (api.Batch, error) {
	for i := range r.Links {
		if err := allUTF8(issueTexts(&r.Links[i])); err != nil {
			return api.Batch{}, fmt.Errorf("link %d: %w", i, err)
		}
	}
	issue := idempotentCall("/api/v1/links:batch", r.IdempotencyKey, r)
	return repeatOnce(ctx, func() (api.Batch, error) {
		batch, header, err := doWithHeader[api.Batch](ctx, c, issue)
		for i := range batch.Results {
			if link := batch.Results[i].Link; link != nil {
				link.Answered = dateOf(header)
			}
		}
		return batch, err
	})
}

// issueTexts returns the texts of a request that must be UTF-8.
func issueTexts(r *api.IssueRequest) []string {
	texts := []string{r.Storage, r.Bucket, r.Key, r.Filename, r.Language, r.Note}
	return append(texts, labelTexts(r.Labels)...)
}

// idempotentCall returns a POST that is safe to repeat. If key is empty, it uses a random
// Idempotency-Key.
func idempotentCall(path, key string, body any) call {
	if key == "" {
		key = rand.Text()
	}
	return call{method: http.MethodPost, path: path, body: body, header: http.Header{"Idempotency-Key": {key}}}
}

// repeatOnce makes a call, and repeats the call once if no complete answer came.
func repeatOnce[T any](ctx context.Context, send func() (T, error)) (T, error) {
	answer, err := send()
	if (errors.Is(err, ErrUnreachable) || errors.Is(err, ErrBrokeOff)) && ctx.Err() == nil {
		return send()
	}
	return answer, err
}
