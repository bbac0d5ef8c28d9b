package httpapi

import (
	"context"
	"errors"
	"net/http"
	"net/netip"
	"regexp"

	"github.com/labstack/echo/v4"

	"keyhole/gateway"
	"keyhole/gateway/api"
	"keyhole/gateway/convert"
)

// eraseAddresses answers POST /api/v1/audit/erasures.
func (a *API) eraseAddresses(c echo.Context) error {
	var body api.ErasureRequest
	if err := decode(c, &body); err != nil {
		return err
	}
	request := gateway.ErasureRequest{
		Address: body.Address, Reason: body.Reason, Cursor: body.Cursor, DryRun: body.DryRun,
	}
	if body.Link != "" {
		id, ok := gateway.ParseID(body.Link)
		if !ok {
			return gateway.Invalid("link", "invalid", "link must be the id of a link")
		}
		request.Link = &id
		c.Set(contextLink, id)
	}
	if body.Address != "" {
		var err error
		if request.Forms, err = a.addressForms(c.Request().Context(), body.Address); err != nil {
			return err
		}
	}
	result, err := a.o.Service.Erase(c.Request().Context(), actorOf(c), &request)
	if err != nil {
		return err
	}
	answer := api.Erasure{
		FeedEvents: result.FeedEvents, LinkEvents: result.LinkEvents, Unreadable: result.Unreadable,
		Done: result.Done, Next: result.Next, Remains: convert.Notes(gateway.Remains(request.Link == nil)),
	}
	return writeJSON(c, http.StatusOK, api.MediaType, answer)
}

// hashForm matches a hashed address as the audit shows it.
var hashForm = regexp.MustCompile(`^hash:[0-9a-f]{16}$`)

// addressForms returns the forms in which events may hold an address. The text is an
// address, or a hash or a network as the audit shows it.
func (a *API) addressForms(ctx context.Context, text string) ([]string, error) {
	if hashForm.MatchString(text) {
		return []string{text}, nil
	}
	if network, err := netip.ParsePrefix(text); err == nil && network == network.Masked() {
		bits := 48
		if network.Addr().Is4() {
			bits = 24
		}
		if network.Bits() == bits {
			return []string{network.String()}, nil
		}
	}
	addr, err := netip.ParseAddr(text)
	if err != nil || addr.Zone() != "" {
		// The message does not repeat the address, because the log keeps messages.
		return nil, gateway.Invalid("address", "invalid", "address must be an IP address without a zone, "+
			"or a network (/24, IPv6: /48) or hash as the audit shows it")
	}
	forms, err := a.o.AddressForms(ctx, addr.Unmap())
	if errors.Is(err, gateway.ErrUnavailable) {
		return nil, &gateway.Error{Code: gateway.CodeUnavailable, Message: "Redis is unavailable; try again", Err: err}
	}
	return forms, err
}
