package client

import (
	"context"
	"crypto/tls"
	"errors"
	"net/http"
	"time"

	"keyhole/gateway/api"
)

// Operator returns the operator whose key or token this client sends, and what that
// operator may do now.
func (c *Client) Operator(ctx context.Context) (api.Operator, error) {
	operator, _, err := c.Diagnose(ctx)
	return operator, err
}

// Connection describes how an answer came, for diagnosis. The zero value means that no
// answer came.
type Connection struct {
	// Date is the time of the service, or of a proxy in front of it, in whole seconds (the
	// header Date, RFC 9110 section 6.6.1); zero: the answer has no Date.
	Date time.Time
	// Sent and Received are the times of request and answer by the clock of this machine.
	Sent, Received time.Time
	// TLS is the state of the connection; nil over plain http.
	TLS *tls.ConnectionState
}

// Diagnose is like Operator, and also describes the connection. It describes it after an
// error too, if an answer came.
func (c *Client) Diagnose(ctx context.Context) (api.Operator, Connection, error) {
	var nothing api.Operator
	seen := Connection{Sent: time.Now()}
	answer, err := c.send(ctx, call{method: http.MethodGet, path: "/api/v1/operator"})
	if err != nil {
		return nothing, Connection{}, err
	}
	defer answer.Body.Close()
	seen.Received, seen.TLS = time.Now(), answer.TLS
	if date, err := http.ParseTime(answer.Header.Get("Date")); err == nil {
		seen.Date = date
	}
	operator, _, err := decode[api.Operator](c, answer)
	if err == nil && operator.Name == "" {
		err = c.notKeyhole(answer)
	}
	var refused *Error
	if errors.As(err, &refused) && refused.Code == "not_found" {
		// Keyhole's answer for a path that it does not know.
		err = errors.Join(ErrOldService, err)
	}
	return operator, seen, err
}

// ErrOldService means that the service is older than this client and does not know the
// request.
var ErrOldService = errors.New("the service is older than this client and cannot answer this request")
