package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"time"

	"keyhole/gateway/api"
)

// call is one request.
type call struct {
	method, path string
	query        url.Values
	body         any         // as JSON; nil: none
	header       http.Header // beside what every request has
}

// linkPath is where a link is.
func linkPath(id string) string { return "/api/v1/links/" + url.PathEscape(id) }

// link asks for what is answered with one link.
func (c *Client) link(ctx context.Context, asked call) (api.Link, error) {
	link, header, err := ask[api.Link](ctx, c, asked)
	link.ETag = header.Get("ETag")
	return link, err
}

// do sends one request and reads the JSON of its answer.
func do[T any](ctx context.Context, c *Client, asked call) (T, error) {
	out, _, err := ask[T](ctx, c, asked)
	return out, err
}

// ask is do with the answer's header.
func ask[T any](ctx context.Context, c *Client, asked call) (T, http.Header, error) {
	var nothing T
	answer, err := c.send(ctx, asked)
	if err != nil {
		return nothing, nil, err
	}
	defer answer.Body.Close()
	if answer.StatusCode/100 == 2 {
		out, err := read[T](answer)
		return out, answer.Header, err
	}
	problem, err := read[api.Problem](answer)
	if err != nil || problem.Code == "" {
		return nothing, nil, c.notKeyhole(answer)
	}
	return nothing, nil, &Error{
		Problem: problem, Token: c.presentsToken(), RetryAfter: retryAfter(answer.Header, time.Now()),
	}
}

// presentsToken tells whether the key is a token (JWT) of an identity provider: it has
// the three parts of one, and no operator key has a dot.
func (c *Client) presentsToken() bool { return strings.Count(c.key, ".") == 2 }

// notKeyhole is the error of an answer that no keyhole gives there.
func (c *Client) notKeyhole(answer *http.Response) error {
	reason := ErrNotKeyhole
	if answer.StatusCode >= http.StatusInternalServerError {
		reason = ErrProxy
	}
	return &unexpectedAnswer{
		from: c.base, text: answer.Status, status: answer.StatusCode,
		retryAfter: retryAfter(answer.Header, time.Now()), reason: reason,
	}
}

// send sends one request.
func (c *Client) send(ctx context.Context, asked call) (*http.Response, error) {
	var body io.Reader
	if asked.body != nil {
		text, err := json.Marshal(asked.body)
		if err != nil {
			return nil, fmt.Errorf("encode the request: %w", err)
		}
		body = bytes.NewReader(text)
	}
	address := c.base + asked.path
	if len(asked.query) > 0 {
		address += "?" + asked.query.Encode()
	}
	r, err := http.NewRequestWithContext(ctx, asked.method, address, body)
	if err != nil {
		return nil, fmt.Errorf("make the request: %w", err)
	}
	maps.Copy(r.Header, asked.header)
	if body != nil {
		r.Header.Set("Content-Type", api.MediaType)
	}
	if c.key != "" {
		r.Header.Set("Authorization", "Bearer "+c.key)
	}
	answer, err := c.http.Do(r)
	if err != nil {
		var failed *url.Error
		if errors.As(err, &failed) {
			err = failed.Err // without the URL, whose query the user knows already
		}
		return nil, fmt.Errorf("%w at %s: %w", ErrUnreachable, c.base, err)
	}
	return answer, nil
}

// read decodes the JSON of an answer.
func read[T any](answer *http.Response) (T, error) {
	var out T
	if err := json.NewDecoder(io.LimitReader(answer.Body, maxAnswer)).Decode(&out); err != nil {
		var syntax *json.SyntaxError
		var kind *json.UnmarshalTypeError
		if errors.As(err, &syntax) || errors.As(err, &kind) || errors.Is(err, io.EOF) {
			return out, fmt.Errorf("%w: %w", ErrNotKeyhole, err)
		}
		return out, fmt.Errorf("%w: %w", ErrBrokeOff, err)
	}
	return out, nil
}
