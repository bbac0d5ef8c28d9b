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
	body         any         // encoded as JSON; nil: no body
	header       http.Header // added to the headers that every request has
}

// linkPath returns the path of a link.
func linkPath(id string) string { return "/api/v1/links/" + url.PathEscape(id) }

// link makes a call whose answer is one link.
func (c *Client) link(ctx context.Context, request call) (api.Link, error) {
	link, header, err := doWithHeader[api.Link](ctx, c, request)
	link.ETag, link.Answered = header.Get("ETag"), dateOf(header)
	return link, err
}

// dateOf returns the Date of an answer; zero: it has none.
func dateOf(header http.Header) time.Time {
	date, err := http.ParseTime(header.Get("Date"))
	if err != nil {
		return time.Time{}
	}
	return date
}

// do makes one call and decodes the JSON of the answer.
func do[T any](ctx context.Context, c *Client, request call) (T, error) {
	out, _, err := doWithHeader[T](ctx, c, request)
	return out, err
}

// doWithHeader is like do, and also returns the header of the answer.
func doWithHeader[T any](ctx context.Context, c *Client, request call) (T, http.Header, error) {
	var nothing T
	answer, err := c.send(ctx, request)
	if err != nil {
		return nothing, nil, err
	}
	defer answer.Body.Close()
	return decode[T](c, answer)
}

// decode returns the value and the header of an answer, or its error.
func decode[T any](c *Client, answer *http.Response) (T, http.Header, error) {
	var nothing T
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

// presentsToken reports whether the key is a token (JWT) of an identity provider. A token
// has two dots, and an operator key has none.
func (c *Client) presentsToken() bool { return strings.Count(c.key, ".") == 2 }

// notKeyhole returns the error for an answer that does not come from Keyhole.
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
func (c *Client) send(ctx context.Context, request call) (*http.Response, error) {
	var body io.Reader
	if request.body != nil {
		text, err := json.Marshal(request.body)
		if err != nil {
			return nil, fmt.Errorf("encode the request: %w", err)
		}
		body = bytes.NewReader(text)
	}
	address := c.base + request.path
	if len(request.query) > 0 {
		address += "?" + request.query.Encode()
	}
	r, err := http.NewRequestWithContext(ctx, request.method, address, body)
	if err != nil {
		return nil, fmt.Errorf("make the request: %w", err)
	}
	maps.Copy(r.Header, request.header)
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
			err = failed.Err // without the URL: the query may be long, and the user knows it
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
