package console

import (
	"time"

	"keyhole/gateway"
)

// chartDays is the number of days that the chart of a link shows.
const chartDays = 14

// barWidth is the width of a bar with the gap after it, in the units of the SVG.
const barWidth = 20

// chartView is a chart of downloads by day, with a table as its alternative in text.
type chartView struct {
	Bars  []bar
	Total int
	Width int // in the units of the SVG, which is 100 high
}

// bar is one day of the chart. X, Y and Height are in the units of the SVG.
type bar struct {
	Date         string
	Downloads    int
	X, Y, Height int
}

// chartOf returns the chart of a link's downloads, nil without any. It counts the events of
// the page, which may be fewer than all.
func chartOf(events []gateway.Event, link *gateway.Link, now time.Time) *chartView {
	end := now.UTC().Truncate(24 * time.Hour)
	first := end.AddDate(0, 0, 1-chartDays)
	// Empty bars before the link existed would look like days without a download.
	if created := link.CreatedAt.UTC().Truncate(24 * time.Hour); created.After(first) {
		first = created
	}
	chart := &chartView{}
	for at := first; !at.After(end); at = at.AddDate(0, 0, 1) {
		chart.Bars = append(chart.Bars, bar{Date: at.Format("2 Jan"), X: len(chart.Bars) * barWidth})
	}
	for i := range events {
		e := &events[i]
		day := int(e.Time.UTC().Truncate(24*time.Hour).Sub(first) / (24 * time.Hour))
		// Events may be older than the first bar. They may also be later than today, because
		// the clock of another replica may be ahead.
		if e.Kind == gateway.EventRedirected && day >= 0 && day < len(chart.Bars) {
			chart.Bars[day].Downloads++
			chart.Total++
		}
	}
	if chart.Total == 0 {
		return nil
	}
	most := 0
	for i := range chart.Bars {
		most = max(most, chart.Bars[i].Downloads)
	}
	for i := range chart.Bars {
		b := &chart.Bars[i]
		b.Height = b.Downloads * 100 / most
		b.Y = 100 - b.Height
	}
	// The page stretches the chart. The bars of a new link would become wide blocks.
	chart.Width = max(len(chart.Bars), chartDays) * barWidth
	return chart
}
