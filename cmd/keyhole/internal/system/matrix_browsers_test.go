//go:build system

package system

import (
	"encoding/json"
	"fmt"
	"os/exec"
	"testing"

	"keyhole/gateway/logtest"
)

// fetchPart is JavaScript that opens a link without leaving the page and tells
// what came, as fetchedPart has it.
const fetchPart = `async (method, url, range) => {
	const answer = await fetch(url, {method, cache: "no-store", headers: range ? {Range: range} : {}});
	const body = await answer.arrayBuffer();
	const sum = new Uint8Array(await crypto.subtle.digest("SHA-256", body));
	return JSON.stringify({
		status: answer.status, length: answer.headers.get("Content-Length") ?? "", size: body.byteLength,
		sha256: Array.from(sum, b => b.toString(16).padStart(2, "0")).join(""),
	});
}`

// callFetchPart writes a call of fetchPart.
func callFetchPart(op operation, link string, content []byte) (call, byteRange string, want []byte, err error) {
	method, byteRange, want := partOf(op, content)
	args, err := json.Marshal([]string{method, link, byteRange})
	return "(" + fetchPart + ")(..." + string(args) + ")", byteRange, want, err
}

// checkFetchPart checks what fetchPart returned.
func checkFetchPart(told string, op operation, byteRange string, want []byte) error {
	var got fetchedPart
	if err := json.Unmarshal([]byte(told), &got); err != nil {
		return fmt.Errorf("%w in %.200s", err, told)
	}
	return got.check(op, byteRange, want)
}

// startBrowser starts a browser that ends with the test.
func startBrowser(t *testing.T, command *exec.Cmd) {
	t.Helper()
	log := &logtest.Buffer{}
	command.Stdout, command.Stderr = log, log
	if err := command.Start(); err != nil {
		t.Fatalf("%s does not start (%v): run deploy/test, which installs it", command.Path, err)
	}
	t.Cleanup(func() {
		_ = command.Process.Kill() // it may have ended
		_ = command.Wait()         // it was killed
		if t.Failed() {
			t.Logf("%s printed:\n%s", command.Path, log.Tail(4<<10))
		}
	})
}
