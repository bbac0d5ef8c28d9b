//go:build system

package system

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Recipients that connect and send nothing more use up no descriptors that
// operators and other recipients need.
func TestSlowRecipientsWithFewDescriptors(t *testing.T) {
	in := install(t)
	in.put(t, "file.txt", []byte("content"))
	in.program = filepath.Join(t.TempDir(), "keyhole")
	script := fmt.Sprintf("#!/bin/sh\nulimit -n 96\nexec %s \"$@\"\n", binary)
	if err := os.WriteFile(in.program, []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	g := in.start()
	link := share(t, g)
	for i := range 150 { // One address alone could not reach the limit.
		stallFrom(t, fmt.Sprintf("127.0.1.%d", 1+i%30), g.public, "GET /x HTTP/1.1\r\nHost")
	}
	c := unfollowed()
	defer c.CloseIdleConnections()
	c.Timeout = 5 * time.Second // less than the service waits for the rest of a header
	for range 20 {
		for address, want := range map[string]int{g.operator + "/livez": http.StatusOK, link.URL: http.StatusFound} {
			c.CloseIdleConnections() // each request has a connection of its own
			a, err := ask(t.Context(), c, http.MethodGet, address, nil)
			if err != nil || a.status != want {
				t.Fatalf("%s: %d, %v, want %d", strings.TrimPrefix(address, "http://"), a.status, err, want)
			}
		}
	}
	eventually(t, "the log to say so", func() error {
		if !strings.Contains(g.process.output.String(), "connection limit reached") {
			return errors.New("it does not")
		}
		return nil
	})
}
