//go:build system

package system

import (
	"net/http"
	"strings"
	"testing"

	"keyhole/cmd/keyhole/internal/command"
	"keyhole/gateway/objects/s3test"
)

// TestDoctorFindsMissingETags tells what a bucket without ETags means.
func TestDoctorFindsMissingETags(t *testing.T) {
	server := s3test.Start(t, "reports")
	root := "buckets: [reports]" + as(t, s3test.RootKey, s3test.RootSecret)
	server.Put(t, "reports", "a.txt", "text/plain", []byte("content"))
	find := func() (level, message string) {
		t.Helper()
		code, findings, printed := doctor(t, at(server.Endpoint(), root))
		if code != command.ExitOK {
			t.Errorf("exit %d: %s", code, printed)
		}
		for _, f := range findings {
			if f.Check == "etags" {
				level, message = f.Level, f.Message+" "+f.Do
			}
		}
		return level, message
	}
	if level, message := find(); level != "ok" {
		t.Errorf("with ETags: %s, %s", level, message)
	}
	placeFile(t, server, "reports", "b.txt", "placed")
	if level, message := find(); level != "warning" || !strings.Contains(message, "cannot be pinned") ||
		!strings.Contains(message, "sensitive") {
		t.Errorf("with one object without: %s, %s", level, message)
	}
	server.Delete(t, "reports", "a.txt", "")
	if level, message := find(); level != "warning" {
		t.Errorf("without ETags: %s, %s", level, message)
	}
}

// TestDoctorFindsIgnoredHeaders puts proxies in front of a storage that drop, or
// change, what a presigned URL asks for: files would open inline, from the bucket's
// origin.
func TestDoctorFindsIgnoredHeaders(t *testing.T) {
	server := s3test.Start(t, "reports")
	server.Put(t, "reports", "a.html", "text/html", []byte("<script>1</script>"))
	front, _ := startFront(t, server)
	storage := at(
		server.Endpoint(),
		"buckets: [reports]\npublic_endpoint: \""+front.url+"\""+as(t, s3test.RootKey, s3test.RootSecret),
	)
	set := func(name, value string) changeHeaders {
		return func(_ *http.Request, _ int, h http.Header) { h.Set(name, value) }
	}
	for _, tt := range []struct {
		name   string
		change changeHeaders
		want   string // level
		says   string
	}{
		{"nothing is changed", func(*http.Request, int, http.Header) {}, "ok", ""},
		{
			"no disposition", func(_ *http.Request, _ int, h http.Header) { h.Del("Content-Disposition") }, "failure",
			"Content-Disposition",
		},
		{"inline", set("Content-Disposition", `inline; filename="keyhole doctor.txt"`), "failure", "Content-Disposition"},
		{"another name", set("Content-Disposition", "attachment"), "failure", "Content-Disposition"},
		{"the object's type", set("Content-Type", "text/html"), "failure", "Content-Type"},
		{"the same in other words", set("Content-Disposition", `Attachment;filename="keyhole doctor.txt"`), "ok", ""},
	} {
		front.changeAnswers(tt.change)
		code, findings, printed := doctor(t, storage)
		found := doctorFinding{}
		for _, f := range findings {
			if f.Check == "headers" {
				found = f
			} else if f.Level != "ok" {
				t.Errorf("%s: found %+v too", tt.name, f)
			}
		}
		if found.Level != tt.want || !strings.Contains(found.Message, tt.says) ||
			(code == command.ExitOK) != (tt.want == "ok") {
			t.Errorf("%s: exit %d, %+v\n%s", tt.name, code, found, printed)
		}
		if strings.Contains(printed, "X-Amz-") {
			t.Errorf("%s: a signature is in what it prints: %s", tt.name, printed)
		}
	}
}
