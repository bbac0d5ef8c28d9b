package cli

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"keyhole/gateway/api"
	"keyhole/gateway/client"
)

// An error of the service names the request, so that its log line can be found.
func TestErrorsNameTheRequest(t *testing.T) {
	t.Parallel()
	for status, named := range map[int]bool{500: true, 503: true, 404: false, 422: false} {
		var stderr bytes.Buffer
		refused := &client.Error{Problem: api.Problem{Status: status, Code: "x", Detail: "d", RequestID: "abc\x1b[2J"}}
		report(&stderr, fmt.Errorf("list: %w", refused))
		if got := strings.Contains(stderr.String(), "request id: abc"); got != named ||
			strings.Contains(stderr.String(), "\x1b") {
			t.Errorf("status %d: %q", status, stderr.String())
		}
	}
}
