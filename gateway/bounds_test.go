package gateway

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"
)

// timedObjects is a storage that keeps how much time each listing was given.
type timedObjects struct {
	*stubObjects
	given []time.Duration
}

func (o *timedObjects) List(ctx context.Context, q KeyQuery) (KeyPage, error) {
	end, _ := ctx.Deadline()
	o.given = append(o.given, time.Until(end))
	return o.stubObjects.List(ctx, q)
}

// TestObjectsTime gives a listing the storage's timeout for each question that it may
// ask.
func TestObjectsTime(t *testing.T) {
	t.Parallel()
	timed := &timedObjects{}
	f := newFixture(t, func(o *Options) {
		timed.stubObjects = o.Storages[0].Objects.(*stubObjects)
		o.Storages[0].Objects, o.Storages[0].Timeout = timed, time.Hour
	})
	f.objects.list = keys("a")
	if _, err := f.service.Objects(t.Context(), everything(), ObjectsQuery{Bucket: "exports", Limit: 1}); err != nil {
		t.Fatal(err)
	}
	if len(timed.given) != 1 || timed.given[0] > browseBudget*time.Hour || timed.given[0] < (browseBudget-1)*time.Hour {
		t.Errorf("listings were given %v, want one with about %v", timed.given, browseBudget*time.Hour)
	}
}

// TestObjectsAskForWhatIsMissing fills a page with two questions, because what the
// first one brings is partly out of scope.
func TestObjectsAskForWhatIsMissing(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil)
	f.objects.list = func(q KeyQuery) KeyPage {
		if q.Token == "" {
			return KeyPage{
				Folders: []string{"hidden/", "seen/"}, Token: "1",
				Objects: []ObjectEntry{{Key: "a"}, {Key: "b"}, {Key: "hidden"}},
			}
		}
		return KeyPage{Objects: []ObjectEntry{{Key: "c"}}}
	}
	actor := everything()
	actor.Objects = []Pattern{"exports/seen/*", "exports/a", "exports/b", "exports/c"}
	page, err := f.service.Objects(t.Context(), actor, ObjectsQuery{Bucket: "exports", Limit: 5})
	if err != nil || strings.Join(page.names(), " ") != "seen/ a b c" {
		t.Fatalf("got %q, %v", page.names(), err)
	}
	var limits []int
	for _, q := range f.objects.listed {
		limits = append(limits, q.Limit)
	}
	if !slices.Equal(limits, []int{5, 2}) {
		t.Errorf("the storage was asked for %v entries, want 5 and then 2", limits)
	}
}

// TestSearchEndsWithItsLastMatch fills pages of a search exactly: the page that ends
// with the last key is the last page, and none is longer than asked for.
func TestSearchEndsWithItsLastMatch(t *testing.T) {
	t.Parallel()
	for limit, want := range map[int][]string{1: {"x1", "x2", "x3"}, 2: {"x1 x2", "x3"}, 3: {"x1 x2 x3"}} {
		f := newFixture(t, nil)
		f.objects.list = keys("x1", "x2", "x3")
		q := ObjectsQuery{Bucket: "exports", Search: "x", Limit: limit}
		var got []string
		for range 5 {
			page, err := f.service.Objects(t.Context(), everything(), q)
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, strings.Join(page.names(), " "))
			if q.Cursor = page.Next; q.Cursor == "" {
				break
			}
		}
		if !slices.Equal(got, want) || q.Cursor != "" {
			t.Errorf("by %d: pages %q, next %q; want %q", limit, got, q.Cursor, want)
		}
	}
}

// TestPauseWithMore lets a key that may only revoke pause a link, and refuses each other
// change beside the pause.
func TestPauseWithMore(t *testing.T) {
	t.Parallel()
	actor := everything()
	actor.Can = []Action{ActionRevoke}
	for what, req := range map[string]ChangeRequest{
		"expires_in": {ExpiresIn: new("1h")}, "max_clicks": {MaxClicks: new(int64(3))},
		"note": {Note: new("n")}, "labels": {Labels: &map[string]string{}},
		"allow": {Allow: &[]string{"192.0.2.1"}}, "passphrase": {Passphrase: new("p")},
		"not_before": {NotBefore: new("2026-12-01T08:00:00Z")}, "remove": {Remove: []string{"passphrase"}},
	} {
		req.Paused = new(true)
		var refused *Error
		if err := allowedToChange(actor, &req); !errors.As(err, &refused) || refused.Code != CodeForbidden {
			t.Errorf("a pause and %s: %v", what, err)
		}
	}
	if err := allowedToChange(actor, &ChangeRequest{Paused: new(false)}); err != nil {
		t.Errorf("a pause alone: %v", err)
	}
}

func TestLeftOf(t *testing.T) {
	t.Parallel()
	latest := time.Date(2026, 11, 30, 1, 26, 11, 999, time.FixedZone("", 3600))
	for longest, want := range map[time.Duration]string{
		minLife - 1: "it cannot be extended",
		minLife:     "the latest end is 2026-11-30T00:26:11Z", 2 * minLife: "the latest end is 2026-11-30T00:26:11Z",
	} {
		if got := extensionOf(&ChangeError{Limit: LimitLife, Longest: longest}, latest); got != want {
			t.Errorf("of %v: %q, want %q", longest, got, want)
		}
	}
}

// TestChecksOfSeveralObjects asks for some objects in turn: each is remembered.
func TestChecksOfSeveralObjects(t *testing.T) {
	t.Parallel()
	objects := &stubObjects{}
	storage := &Storage{Objects: objects}
	c := newChecks(time.Hour, time.Now)
	for range 3 {
		for i := range 10 {
			if _, err := statOf(t, c, storage, fmt.Sprint(i)); err != nil {
				t.Fatal(err)
			}
		}
	}
	if n := len(objects.stats()); n != 10 {
		t.Errorf("asked %d times for 10 objects", n)
	}
}

// TestLongestPassphrase opens a link with a passphrase of the greatest length.
func TestLongestPassphrase(t *testing.T) {
	t.Parallel()
	longest := strings.Repeat("x", maxPassphrase)
	kept, err := newHasher(1).make(t.Context(), longest)
	if err != nil {
		t.Fatal(err)
	}
	f, a := confirmed(t)
	f.clicks.admission.Permission.Secrets.Passphrase = kept
	a.Form.Passphrase = longest
	answer, err := f.service.Click(t.Context(), a)
	f.service.Wait()
	if err != nil || answer.Outcome != OutcomeRedirected {
		t.Errorf("got %+v, %v", answer, err)
	}
}

func TestErrorTexts(t *testing.T) {
	t.Parallel()
	route := errors.New("no route")
	for want, err := range map[string]error{
		"unavailable: away":                                     &Error{Code: CodeUnavailable, Message: "away"},
		"unavailable: away: no route":                           &Error{Code: CodeUnavailable, Message: "away", Err: route},
		"the life is too long; the limit is 1h0m0s from now on": &ChangeError{Limit: LimitLife, Longest: time.Hour},
		"2 clicks are spent already":                            &ChangeError{Limit: LimitClicks, Clicks: 2},
	} {
		if got := err.Error(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestShareable(t *testing.T) {
	t.Parallel()
	for key, want := range map[string]bool{"a": true, "a/b..c": true, "": false, "a/../b": false, "a\n": false} {
		if Shareable(key) != want {
			t.Errorf("%q can be shared: %v", key, !want)
		}
	}
}

// TestIssueWithAPassphrase keeps whether a link asks for a passphrase.
func TestIssueWithAPassphrase(t *testing.T) {
	t.Parallel()
	for _, passphrase := range []*string{nil, new("correct horse")} {
		f := newFixture(t, nil)
		req := IssueRequest{Bucket: "exports", Key: "q3.pdf", Preset: PresetHandoff, Passphrase: passphrase}
		if _, err := f.service.Issue(t.Context(), everything(), &req); err != nil {
			t.Fatal(err)
		}
		asks, kept := f.store.created[0].Passphrase, f.store.secrets.Passphrase
		if asks != (passphrase != nil) || asks != (kept != "") {
			t.Errorf("with %v the link asks for one: %v, and keeps %q", passphrase, asks, kept)
		}
	}
}

// TestEventThatIsNotRecorded logs each event of a click that Redis did not take, and no
// other.
func TestEventThatIsNotRecorded(t *testing.T) {
	t.Parallel()
	for _, failure := range []error{nil, ErrUnavailable} {
		var log strings.Builder
		f := newFixture(t, func(o *Options) { o.Logger = slog.New(slog.NewTextHandler(&log, nil)) })
		f.clicks.admission, f.clicks.noteErr = Admission{Outcome: OutcomeRevoked}, failure
		if _, err := f.service.Click(t.Context(), Attempt{ID: IDOf("x"), Method: "GET"}); err != nil {
			t.Fatal(err)
		}
		f.service.Wait()
		logged := strings.Contains(log.String(), "event of a click not recorded")
		if logged != (failure != nil) || len(f.clicks.noted) != 1 {
			t.Errorf("with %v: %d events, logged %q", failure, len(f.clicks.noted), log.String())
		}
	}
}

// TestLongestLabels issues a link with a label of the greatest length.
func TestLongestLabels(t *testing.T) {
	t.Parallel()
	name, value := strings.Repeat("n", maxLabelName), strings.Repeat("v", maxLabelValue)
	for want, labels := range map[int]map[string]string{
		0: {name: value}, 1: {name + "n": value}, 2: {name + "n": value + "v"},
	} {
		if got := checkLabels(labels); len(got) != want {
			t.Errorf("got %v, want %d errors", got, want)
		}
	}
}

// TestLongestNames offers file names of the greatest length as they are, and keeps the
// longest extension of a name that is cut.
func TestLongestNames(t *testing.T) {
	t.Parallel()
	extension := "." + strings.Repeat("x", maxExtension-1)
	for name, want := range map[string]string{
		strings.Repeat("a", maxOffered-7) + "\u200d.txt":  strings.Repeat("a", maxOffered-7) + "\u200d.txt",
		strings.Repeat("a", maxOffered) + extension:       strings.Repeat("a", maxOffered-maxExtension) + extension,
		strings.Repeat("a", maxOffered) + extension + "x": strings.Repeat("a", maxOffered),
		"a\u0080b": "a_b",
	} {
		if got := SaveAs("", name); got != want {
			t.Errorf("of %d bytes: got %q of %d, want %q", len(name), got, len(got), want)
		}
	}
}

func TestInlineWarningTexts(t *testing.T) {
	t.Parallel()
	for contentType, want := range map[string]string{
		"text/html":                  "browsers may run scripts",
		"":                           "no valid content type",
		"text/plain; a=b, text/html": "no valid content type",
		"application/zip":            "many browsers save",
	} {
		if w, unwise := inlineWarning(contentType); !unwise || !strings.Contains(w.Message, want) {
			t.Errorf("%q: %v, %q", contentType, unwise, w.Message)
		}
	}
}

// TestGuessCellOfAnEarlierSlot looks at a cell that another goroutine has moved on to a
// later slot: nothing is forgotten.
func TestGuessCellOfAnEarlierSlot(t *testing.T) {
	t.Parallel()
	const slot = 1000
	cell := failureCell(0).at(slot).add(10).add(10)
	for back := range uint64(windowSlots + 1) {
		if got := cell.at(slot - back); got != cell {
			t.Errorf("%d slots earlier it counts %d", back, got.total())
		}
	}
	for ahead, want := range map[uint64]uint64{windowSlots: 2, windowSlots + 1: 0} {
		if got := cell.at(slot + ahead).total(); got != want {
			t.Errorf("%d slots later it counts %d, want %d", ahead, got, want)
		}
	}
}

// TestFullGuessCell counts more failures than the limit: a cell holds the limit, of which
// the oldest make room.
func TestFullGuessCell(t *testing.T) {
	t.Parallel()
	for _, limit := range []uint64{1, 3, maxCount} {
		cell := failureCell(0).at(1)
		for range limit + 2 {
			cell = cell.add(limit)
		}
		if got := cell.total(); got != limit {
			t.Errorf("a cell counts %d of at most %d", got, limit)
		}
		cell = cell.at(2).add(limit)
		if got, last := cell.total(), cell.counted(0); got != limit || last != 1 {
			t.Errorf("a slot later it counts %d of at most %d, %d of them in this slot", got, limit, last)
		}
	}
}

func TestNewFailureLimiterRefusesLimits(t *testing.T) {
	t.Parallel()
	for limit, refused := range map[int]bool{-1: true, 0: true, 1: false, 63: false, 64: true} {
		func() {
			defer func() {
				if panicked := recover() != nil; panicked != refused {
					t.Errorf("a limit of %d is refused: %v", limit, panicked)
				}
			}()
			NewFailureLimiter(limit, time.Now)
		}()
	}
}

// TestVersionIDs takes a version's ID of the greatest length and of all characters that
// AWS uses.
func TestVersionIDs(t *testing.T) {
	t.Parallel()
	for id, valid := range map[string]bool{
		strings.Repeat("v", maxVersionID): true, strings.Repeat("v", maxVersionID+1): false,
		"!~": true, "a b": false, "a\x7f": false, "\u00e9": false,
	} {
		if got := checkPin(&IssueRequest{VersionID: id}); (len(got) == 0) != valid {
			t.Errorf("%.9q of %d bytes: %v", id, len(id), got)
		}
	}
}

// TestUnknownPassphraseRecords compares with what another version kept, and with what
// was cut short: neither is a wrong passphrase.
func TestUnknownPassphraseRecords(t *testing.T) {
	t.Parallel()
	h := newHasher(1)
	kept, err := h.make(t.Context(), "right")
	if err != nil {
		t.Fatal(err)
	}
	bare := kept[len(argonScheme):]
	for _, record := range []string{"", argonScheme, kept[:len(kept)-1], kept + "x", bare, "\x02" + bare} {
		if right, err := h.matches(t.Context(), "right", record); right || !errors.Is(err, ErrRecord) {
			t.Errorf("%d bytes: right %v, %v; want ErrRecord", len(record), right, err)
		}
	}
}

// TestRefusalsNameTheirRule refuses lives, and names the rule that refuses each and the
// life that another link could have.
func TestRefusalsNameTheirRule(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	policy := Policy{
		MaxExpiry: 7 * day, Caps: Caps{Sensitive: 7 * day, NotStated: day, NotSensitive: 7 * day},
		Presets: map[string]time.Duration{PresetExtended: 7 * day}, SensitiveObjects: []Pattern{"*/invoices/*"},
	}
	wide := policy
	wide.Caps.NotSensitive = 30 * day
	long, extended, no := IssueRequest{ExpiresIn: "8d"}, IssueRequest{Preset: PresetExtended}, new(false)
	for name, tt := range map[string]struct {
		policy    Policy
		key       string
		max       time.Duration // of the operator's key
		request   IssueRequest
		sensitive *bool
		want      string
	}{
		"not stated": {
			policy, "a", 0, long, nil, "not stated; with \"sensitive\": false it may live for up to 7d)",
		},
		"not stated, by a key of three days":   {policy, "a", 3 * day, long, nil, "it may live for up to 3d)"},
		"not stated, by a key of one day":      {policy, "a", day, long, nil, "(sensitivity was not stated)"},
		"sensitive, at the service's limit":    {policy, "invoices/1", 0, long, nil, "(sensitive by policy)"},
		"not sensitive, at the service's":      {policy, "a", 0, long, no, "(policy.caps.not_sensitive)"},
		"not sensitive, under the service's":   {wide, "a", 0, long, no, "(policy.max_expiry)"},
		"the preset extended, not stated":      {policy, "a", 0, extended, nil, "send \"sensitive\": false"},
		"the preset extended, for a sensitive": {policy, "invoices/1", 0, extended, nil, "use another preset"},
	} {
		tt.request.Sensitive = tt.sensitive
		_, err := tt.policy.Decide(&Actor{MaxExpiry: tt.max}, ObjectRef{"main", "reports", tt.key}, &tt.request)
		var refused *Error
		if !errors.As(err, &refused) || !strings.Contains(refused.Fields[0].Message, tt.want) {
			t.Errorf("%s: %+v, want %q", name, err, tt.want)
		}
	}
	for limit, want := range map[time.Duration]time.Duration{0: day, time.Hour: time.Hour, 2 * day: day} {
		link := Link{Ref: ObjectRef{"main", "reports", "a"}}
		life, longest, err := policy.extend(&Actor{MaxExpiry: limit}, &link, "1h")
		if err != nil || life != time.Hour || longest != want {
			t.Errorf("a key of %v extends to %v of %v, %v; want %v", limit, life, longest, err, want)
		}
	}
}
