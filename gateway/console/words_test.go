package console

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"keyhole/gateway"
)

// Times are shown in UTC, with the distance in one unit.
func TestMoment(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)
	for _, test := range []struct {
		distance time.Duration
		want     string
	}{
		{0, "now"},
		{500 * time.Millisecond, "now"},
		{-time.Second, "1 second ago"},
		{59 * time.Second, "in 59 seconds"},
		{time.Minute, "in 1 minute"},
		{-119 * time.Minute, "1 hour ago"},
		{47 * time.Hour, "in 47 hours"},
		{48 * time.Hour, "in 2 days"},
		{-30 * 24 * time.Hour, "30 days ago"},
	} {
		if got := newMoment(now.Add(test.distance), now).Relative(); got != test.want {
			t.Errorf("%s: %q, want %q", test.distance, got, test.want)
		}
	}
	m := newMoment(time.Date(2026, 3, 4, 5, 6, 7, 8, time.FixedZone("", 3600)), now)
	if m.Text() != "4 Mar 2026, 04:06:07 UTC" || m.ISO() != "2026-03-04T04:06:07Z" || m.Zero() {
		t.Errorf("the time is %q, %q", m.Text(), m.ISO())
	}
	if !newMoment(time.Time{}, now).Zero() {
		t.Error("an unknown time is known")
	}
}

// The chart has the last days of the link, and every download of them.
func TestChart(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)
	at := func(days int, kind gateway.EventKind) gateway.Event {
		return gateway.Event{Kind: kind, Time: now.AddDate(0, 0, -days)}
	}
	events := []gateway.Event{
		at(0, gateway.EventRedirected), at(0, gateway.EventRefused), at(1, gateway.EventRedirected),
		at(1, gateway.EventRedirected), at(13, gateway.EventRedirected), at(14, gateway.EventRedirected),
	}
	chart := chartOf(events, &gateway.Link{CreatedAt: now.AddDate(0, 0, -30)}, now)
	if chart == nil || len(chart.Bars) != chartDays || chart.Total != 4 || chart.Width != chartDays*barWidth {
		t.Fatalf("the chart: %+v", chart)
	}
	first, last, most := chart.Bars[0], chart.Bars[chartDays-1], chart.Bars[chartDays-2]
	if first.Date != "16 Nov" || first.Downloads != 1 || last.Date != "29 Nov" || last.Downloads != 1 ||
		last.Height != 50 || last.Y != 50 || most.Downloads != 2 || most.Height != 100 || most.Y != 0 {
		t.Errorf("the bars: %+v, %+v, %+v", first, most, last)
	}
	young := chartOf(events[:3], &gateway.Link{CreatedAt: now.AddDate(0, 0, -1)}, now)
	if young == nil || len(young.Bars) != 2 || young.Total != 2 {
		t.Errorf("a young link: %+v", young)
	}
	if got := chartOf(events[1:2], &gateway.Link{CreatedAt: now}, now); got != nil {
		t.Errorf("without downloads: %+v", got)
	}
}

// A chart of any number of days has an axis, dates that do not overlap, the last day among
// them, and the number above each bar if there is room.
func TestChartTexts(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)
	for _, test := range []struct {
		days, downloads int // downloads of the last day
		dated           string
		values          bool
	}{
		{1, 100, "29 Nov", true},
		{2, 3, "28 Nov, 29 Nov", true},
		{5, 3, "25 Nov, 26 Nov, 27 Nov, 28 Nov, 29 Nov", true},
		{7, 3, "23 Nov, 25 Nov, 27 Nov, 29 Nov", true},
		{14, 99, "17 Nov, 20 Nov, 23 Nov, 26 Nov, 29 Nov", true},
		{14, 100, "17 Nov, 20 Nov, 23 Nov, 26 Nov, 29 Nov", false},
	} {
		events := make([]gateway.Event, test.downloads)
		for i := range events {
			events[i] = gateway.Event{Kind: gateway.EventRedirected, Time: now}
		}
		chart := chartOf(events, &gateway.Link{CreatedAt: now.AddDate(0, 0, 1-test.days)}, now)
		var dated []string
		end, before := 0, -dateWidth
		for _, b := range chart.Bars {
			if b.X < end {
				t.Errorf("%d days: the bar of %s begins at %d, inside of the one before", test.days, b.Date, b.X)
			}
			if end = b.X + b.Width; end > chart.Width {
				t.Errorf("%d days: the bar of %s ends at %d", test.days, b.Date, end)
			}
			if b.Dated {
				dated = append(dated, b.Date)
				if b.Middle-before < dateWidth {
					t.Errorf("%d days: the date %s is %d units after the one before", test.days, b.Date, b.Middle-before)
				}
				before = b.Middle
			}
		}
		if got := strings.Join(dated, ", "); got != test.dated || chart.Values != test.values ||
			chart.Most != test.downloads {
			t.Errorf("%d days: dates %s, values %t, most %d", test.days, got, chart.Values, chart.Most)
		}
		if box := chart.ViewBox(); -box[0] < len(strconv.Itoa(chart.Most))*digit || box[0]+box[2] < before+dateWidth/2-5 {
			t.Errorf("%d days: the view %v cuts texts off", test.days, box)
		}
	}
}

// Every outcome and every kind of event has words.
func TestEventWords(t *testing.T) {
	t.Parallel()
	seen := map[string]gateway.Outcome{}
	for _, outcome := range gateway.Outcomes() {
		for _, kind := range []gateway.EventKind{gateway.EventRefused, gateway.EventFailed} {
			text := eventText(&gateway.Event{Kind: kind, Outcome: outcome})
			if other, twice := seen[text]; text == "" || twice {
				t.Errorf("%s of %s is %q, like %s", kind, outcome, text, other)
			}
			seen[text] = outcome
		}
	}
	now := time.Now()
	row := eventRowOf(&gateway.Event{Kind: gateway.EventPaused, Actor: "ops", Address: "203.0.113.7"}, now)
	if row.Who != "ops from 203.0.113.7" || row.What != "The link was paused" || row.Outcome != "" {
		t.Errorf("a pause: %+v", row)
	}
	for _, state := range gateway.States() {
		if view := stateOf(state); view.Word == "" || view.Icon == "circle-help" || view.Class == "" {
			t.Errorf("%s: %+v", state, view)
		}
	}
	if view := stateOf("new"); view.Word != "new" || view.Icon == "" {
		t.Errorf("an unknown state: %+v", view)
	}
}

// The console writes the same second as the commands and the recipients' pages.
func TestMomentIsRounded(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 12, 4, 17, 59, 59, 864_000_000, time.UTC)
	m := newMoment(at, at)
	if m.ISO() != "2026-12-04T18:00:00Z" || m.Text() != "4 Dec 2026, 18:00:00 UTC" {
		t.Errorf("got %s, %s", m.ISO(), m.Text())
	}
}
