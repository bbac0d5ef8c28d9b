package client

import (
	"context"
	"net/http"

	"keyhole/gateway/api"
)

// Erase erases client addresses from events, as many as one call can. The caller repeats
// it with the Next of the answer as Cursor until the answer has no Next.
func (c *Client) Erase(ctx context.Context, r api.ErasureRequest) (api.Erasure, error) {
	if err := allUTF8([]string{r.Link, r.Address, r.Reason, r.Cursor}); err != nil {
		return api.Erasure{}, err
	}
	return do[api.Erasure](ctx, c, call{method: http.MethodPost, path: "/api/v1/audit/erasures", body: r})
}
