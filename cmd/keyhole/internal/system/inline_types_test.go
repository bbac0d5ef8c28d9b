//go:build system

package system

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"keyhole/gateway"
	"keyhole/gateway/api"
)

// scripted is a page whose script changes the title.
const scripted = "<!DOCTYPE html><html " +
	"xmlns=\"http://www.w3.org/1999/xhtml\"><head><title>still</title><script>document.title='ran'</script>" +
	"</head><body>x</body></html>"

// shown tells what Chromium did with an inline link.
type shown string

const (
	ranScript    shown = "ran the script"
	showedOnly   shown = "showed it"
	savedInstead shown = "saved it"
)

// openInline opens a link to the object of a key and tells what Chromium does with the
// file. A load event may still be that of the page before: the address tells them
// apart. Then the new page may be at its beginning, so its state must be complete.
func (c *chromium) openInline(link, key string) (shown, error) {
	if _, err := c.send("Page.navigate", map[string]any{"url": link}); err != nil {
		return "", err
	}
	for {
		saved := false
		if err := c.await(func(m *devtoolsMessage) (bool, error) {
			if m.Method == "Browser.downloadProgress" {
				var download struct{ State string }
				if err := json.Unmarshal(m.Params, &download); err != nil {
					return false, err
				}
				saved = download.State != "inProgress"
			}
			return saved || m.Method == "Page.loadEventFired", nil
		}); err != nil {
			return "", err
		}
		if saved {
			return savedInstead, nil
		}
		page, err := c.evaluate("location.pathname + ' ' + document.readyState + ' ' + document.title")
		address, state, _ := strings.Cut(page, " ")
		state, title, _ := strings.Cut(state, " ")
		switch {
		case err != nil:
			return "", err
		case !strings.HasSuffix(address, "/"+key), state != "complete":
			continue
		case title == "ran":
			return ranScript, nil
		}
		return showedOnly, nil
	}
}

// TestInlineTypesInChromium opens inline links to a page with a script, stored
// under every content type that Keyhole knows and under some that browsers guess
// at. Whatever runs was warned of, and so was what is saved.
func TestInlineTypesInChromium(t *testing.T) {
	t.Parallel()
	in := install(t)
	g := in.start()
	c := openChromium(t)
	tests := map[string][]shown{} // what Chromium may do, by type
	for _, contentType := range gateway.ShownTypes() {
		tests[contentType] = []shown{showedOnly}
	}
	for _, contentType := range gateway.SavedTypes() {
		tests[contentType] = []shown{savedInstead}
	}
	for _, contentType := range []string{
		"text/html", "application/xhtml+xml", "unknown/unknown", "application/unknown", "*/*", "text/html,x", "html",
		"text/plain, text/html", "text/plain; a=b, text/html",
	} {
		tests[contentType] = []shown{ranScript}
	}
	for i, contentType := range slices.Sorted(maps.Keys(tests)) {
		key := fmt.Sprintf("inline/%d", i)
		in.s3.Put(t, "reports", key, contentType, []byte(scripted))
		link, err := g.client.Issue(t.Context(), api.IssueRequest{Bucket: "reports", Key: key, Disposition: "inline"})
		if err != nil {
			t.Fatalf("%s: %v", contentType, err)
		}
		var codes []string
		for _, w := range link.Warnings {
			codes = append(codes, w.Code)
		}
		did, err := c.openInline(link.URL, key)
		if err != nil {
			t.Fatalf("%s: %v", contentType, err)
		}
		if !slices.Contains(tests[contentType], did) {
			t.Errorf("%s: Chromium %s, want one of %v", contentType, did, tests[contentType])
		}
		active := slices.Contains(codes, gateway.WarnInlineActiveType)
		saved := slices.Contains(codes, gateway.WarnInlineDownload)
		if did == ranScript && !active || did == savedInstead && !saved && !active ||
			did == showedOnly && (active || saved) {
			t.Errorf("%s: Chromium %s, and the warnings are %v", contentType, did, codes)
		}
	}
}
