package cli

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"keyhole/cmd/keyhole/internal/command"
	"keyhole/gateway"
	"keyhole/gateway/api"
	"keyhole/gateway/explain"
)

// changing serves a link with an ETag, and keeps the changes that it is asked for. After a
// change of another operator the ETag differs.
type changing struct {
	link  api.Link
	etag  string
	asked []map[string]any
	match []string
}

func (s *changing) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", api.MediaType)
	if r.Method == http.MethodPatch {
		var body map[string]any
		_ = json.NewDecoder(r.Body).Decode(&body)
		s.asked, s.match = append(s.asked, body), append(s.match, r.Header.Get("If-Match"))
		if clicks, set := body["max_clicks"].(float64); set {
			s.link.MaxClicks = new(int64(clicks))
		}
	}
	w.Header().Set("ETag", s.etag)
	_ = json.NewEncoder(w).Encode(s.link)
}

// +N counts from the present limit and the present end, and holds only for the link that was
// read.
func TestChangeRelative(t *testing.T) {
	t.Parallel()
	s := &changing{link: testLink(), etag: `"1"`}
	s.link.ExpiresAt = time.Now().Add(time.Hour)
	got := runAgainst(t, s, "change", testID(), "--max-clicks", "+2", "--expires", "+1d")
	if got.code != command.ExitOK || len(s.asked) != 1 || s.match[0] != `"1"` || s.asked[0]["max_clicks"] != 5.0 {
		t.Fatalf("%+v, asked %v with %q", got, s.asked, s.match)
	}
	text, _ := s.asked[0]["expires_in"].(string)
	life, err := gateway.ParseLife(text)
	if err != nil || (25*time.Hour-life) < 0 || 25*time.Hour-life > time.Minute {
		t.Errorf("expires_in is %q, %v", text, err)
	}
	if !strings.HasPrefix(got.stdout, "changed    max clicks 3 → 5\n") {
		t.Errorf("it begins with %s", got.stdout)
	}
	// A number without a sign replaces the limit, for every revision of the link.
	if got := runAgainst(t, s, "change", testID(), "--max-clicks", "2", "--json"); got.code != command.ExitOK ||
		s.match[1] != "" || s.asked[1]["max_clicks"] != 2.0 {
		t.Errorf("%+v, asked %v with %q", got, s.asked, s.match)
	}
	s.link.MaxClicks = nil
	got = runAgainst(t, s, "change", testID(), "--max-clicks", "+1")
	if got.code != command.ExitFailed || len(s.asked) != 2 {
		t.Errorf("without a limit: %+v", got)
	}
	has(t, got.stderr, "--max-clicks +1: the uses of this link are not limited\n  omit --max-clicks")
}

// A link does not end after the time that was named, although the request takes time, and
// still ends in the second that was named.
func TestNamedEndIsNotLate(t *testing.T) {
	t.Parallel()
	until := time.Now().Add(2 * time.Hour).Truncate(time.Second)
	expires := until.Format(time.RFC3339)
	s := &changing{link: testLink(), etag: `"1"`}
	f := &fakeAPI{answers: map[string]any{"POST /api/v1/links": testLink()}}
	for name, send := range map[string]func() string{
		"change": func() string {
			runAgainst(t, s, "change", testID(), "--expires", expires)
			life, _ := s.asked[0]["expires_in"].(string)
			return life
		},
		"share": func() string {
			runOver(t, f, "share", "s3://reports/q3.pdf", "--expires", expires)
			life, _ := f.requests[0].body["expires_in"].(string)
			return life
		},
	} {
		begun := time.Now()
		life, err := gateway.ParseLife(send())
		// The request may take 0.4 s, and at once it ends the link less than half a second early.
		longest, shortest := until.Sub(begun)-sendTime, time.Until(until)-time.Second/2
		if err != nil || life > longest || life < shortest {
			t.Errorf("%s: got %v, %v; want %v to %v", name, life, err, shortest, longest)
		}
	}
}

// A refusal of +1d names the latest end like that of a time: the limit counts from the issue.
func TestChangeRelativeOverTheLimit(t *testing.T) {
	t.Parallel()
	link := testLink()
	link.CreatedAt = time.Now().Add(-time.Hour)
	link.ExpiresAt = link.CreatedAt.Add(2 * time.Hour)
	path := "/api/v1/links/" + testID()
	f := &fakeAPI{answers: map[string]any{"GET " + path: link, "PATCH " + path: api.Problem{
		Status: 422, Code: "invalid", Detail: "the request is invalid; see errors", Errors: []api.FieldError{{
			Field: "expires_in", Code: "over_policy", Message: "25h is over the limit of 24h (sensitivity was not stated)",
		}},
	}}}
	latest := link.CreatedAt.Add(24*time.Hour - 2*time.Second).Truncate(time.Minute).In(time.Local)
	want := "  the latest is " + explain.ReadableTime(latest, time.Local) +
		": --expires '" + latest.Format("2006-01-02 15:04") + "'"
	for _, expires := range []string{"+1d", time.Now().Add(25 * time.Hour).Format(time.RFC3339)} {
		if got := runOver(t, f, "change", testID(), "--expires", expires); !strings.Contains(got.stderr, want) {
			t.Errorf("%s: %+v, want %s", expires, got, want)
		}
	}
	if got := runOver(t, f, "change", testID(), "--expires", "25h"); strings.Contains(got.stderr, "the latest is") {
		t.Errorf("a duration: %+v", got)
	}
	link.ExpiresAt = link.CreatedAt.Add(24 * time.Hour)
	f.answers["GET "+path] = link
	if got := runOver(t, f, "change", testID(), "--expires", "+1d"); strings.Contains(got.stderr, "the latest is") {
		t.Errorf("at the limit the advice would shorten the link: %+v", got)
	}
}

// A mistake in a relative value sends nothing.
func TestChangeRelativeMistakes(t *testing.T) {
	t.Parallel()
	for args, want := range map[string]string{
		"--expires +soon":    `--expires: "soon" is not a duration`,
		"--expires +":        `--expires: "" is not a duration`,
		"--max-clicks +many": `--max-clicks is "+many"; it must be a whole number`,
	} {
		f := &fakeAPI{}
		got := runOver(t, f, append([]string{"change", testID()}, strings.Fields(args)...)...)
		if got.code == command.ExitOK || len(f.requests) > 0 || !strings.HasPrefix(got.stderr, "keyhole: "+want) {
			t.Errorf("%s: %+v", args, got)
		}
	}
}

// The first lines after a change say what it has changed, with the values before and after.
func TestChangedRows(t *testing.T) {
	t.Parallel()
	zone := berlin(t)
	end := time.Date(2026, 12, 4, 17, 0, 0, 0, time.UTC)
	before, after := testLink(), testLink()
	before.ExpiresAt, after.ExpiresAt = end, end.Add(24*time.Hour)
	after.State, after.NotBefore, after.Allow = "paused", &end, []string{"192.0.2.0/24"}
	after.Language, after.Note, after.Labels, after.Passphrase, after.MaxClicks = "de", "", nil, true, nil
	var got []string
	for _, row := range changedRows(&before, &after, &api.ChangeRequest{}, zone) {
		got = append(got, strings.Join(row, " "))
	}
	want := `changed expires 2026-12-04T18:00:00+01:00 → 2026-12-05T18:00:00+01:00
changed max clicks 3 → unlimited
changed state active → paused
changed begins at once → 2026-12-04T18:00:00+01:00
changed allowed addresses all → 192.0.2.0/24
changed language none → "de"
changed note "a note" → none
changed labels case=7 team=a → none
changed passphrase none → yes`
	if text := strings.Join(got, "\n"); text != want {
		t.Errorf("got\n%s\nwant\n%s", text, want)
	}
	// A lower limit is often meant as further uses.
	after.MaxClicks = new(int64(1))
	lower := changedRows(&before, &after, &api.ChangeRequest{}, zone)
	if lower[1][1] != "max clicks 3 → 1" || lower[2][0] != "warning" || !strings.Contains(lower[2][1], "--max-clicks +N") {
		t.Errorf("with a lower limit: %q", lower)
	}
	rows := changedRows(&after, &after, &api.ChangeRequest{Passphrase: new("x")}, zone)
	if len(rows) != 1 || rows[0][1] != "passphrase replaced" {
		t.Errorf("a new passphrase: %q", rows)
	}
	if rows := changedRows(nil, &after, &api.ChangeRequest{}, zone); rows != nil {
		t.Errorf("without the link before: %q", rows)
	}
}
