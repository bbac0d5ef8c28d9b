package console

import (
	"strconv"
	"time"

	"keyhole/gateway"
)

// chartDays is the number of days that the chart of a link shows.
const chartDays = 14

// The sizes of a chart in the units of its SVG, which are pixels on a wide screen. A new link
// has few bars, which are wider, up to maxPitch, so that each can have its date.
const (
	barWidth  = 20 // of one of chartDays bars, with the gap after it
	maxPitch  = 56
	barGap    = 4
	digit     = 7  // the width of a digit
	dateWidth = 44 // of a date such as "29 Nov", with the gap after it
)

// chartView is a chart of downloads by day, with a table as its alternative in text.
type chartView struct {
	Bars   []bar
	Total  int
	Most   int  // the downloads of the highest bar
	Width  int  // of the bars together; the axis has Margin more on the left
	Margin int  // for the numbers beside the axis
	Values bool // there is room for the number above each bar
	// Of is the number of all downloads of the link if the chart lacks some, which are on another
	// page, too old, or no longer in the audit; 0: the chart has all of them.
	Of int64
}

// bar is one day of the chart. Its sizes are in the units of the SVG. The highest bar is 100
// high, and Y grows downwards.
type bar struct {
	Date         string
	Dated        bool // there is room for the date below the bar
	Downloads    int
	X, Y, Height int
	Width        int
	Middle       int // of the bar, where its texts are
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
	chart := &chartView{Width: chartDays * barWidth}
	for at := first; !at.After(end); at = at.AddDate(0, 0, 1) {
		chart.Bars = append(chart.Bars, bar{Date: at.Format("2 Jan")})
	}
	for i := range events {
		e := &events[i]
		day := int(e.Time.UTC().Truncate(24*time.Hour).Sub(first) / (24 * time.Hour))
		// Events may be older than the first bar. They may also be later than today, because
		// the clock of another replica may be ahead.
		if e.Kind == gateway.EventRedirected && day >= 0 && day < len(chart.Bars) {
			chart.Bars[day].Downloads++
			chart.Total++
			chart.Most = max(chart.Most, chart.Bars[day].Downloads)
		}
	}
	if chart.Total == 0 {
		return nil
	}
	if int64(chart.Total) < link.Clicks {
		chart.Of = link.Clicks
	}
	chart.place()
	return chart
}

// place gives the bars and their texts a place.
func (c *chartView) place() {
	pitch := min(c.Width/len(c.Bars), maxPitch)
	longest := len(strconv.Itoa(c.Most)) * digit
	c.Margin, c.Values = longest+digit, longest <= pitch
	each := (dateWidth + pitch - 1) / pitch // bars from one date to the next
	for i := range c.Bars {
		b := &c.Bars[i]
		b.X, b.Width = i*pitch, pitch-barGap
		b.Middle = b.X + b.Width/2
		b.Height = b.Downloads * 100 / c.Most
		b.Y = 100 - b.Height
		b.Dated = (len(c.Bars)-1-i)%each == 0 // always today
	}
}

// ViewBox returns the part of the plane that the chart shows: the bars, with the numbers on the
// left and above, and the dates below. The last date reaches beyond its bar.
func (c *chartView) ViewBox() [4]int { return [4]int{-c.Margin, -18, c.Margin + c.Width + digit, 138} }
