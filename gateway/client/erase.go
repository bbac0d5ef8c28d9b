package client

import (
	"context"
	"net/http"

	"keyhole/gateway/api"
)

// Erase erases client addresses from events. One call may erase only a part of them: call
// Erase again with Cursor set to the Next of the answer, until Next is empty.
func (c *Client) Erase(ctx context.Context, r api.ErasureRequest) (api.Erasure, error) {
	if err := allUTF8([]string{r.Link, r.Address, r.Reason, r.Cursor}); err != nil {
		return api.Erasure{}, err
	}
	return do[api.Erasure](ctx, c, call{method: http.MethodPost, path: "/api/v1/audit/erasures", body: r})
}
