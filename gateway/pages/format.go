package pages

import (
	"strconv"
	"strings"
	"time"

	"keyhole/gateway"
)

// This file writes numbers, sizes and times in the patterns of a language. x/text cannot
// format dates (golang/go#12750), so the catalogues contain the patterns. TestDates has the
// expected dates of each language.

// number returns a whole number with the separators of the language. Numbers below 10000
// have no separator: most style guides of these languages recommend that.
func (c *catalogue) number(n int64) string {
	digits := strconv.FormatInt(n, 10)
	if len(digits) <= 4 {
		return digits
	}
	var b strings.Builder
	for i, digit := range digits {
		if i > 0 && (len(digits)-i)%3 == 0 {
			b.WriteString(c.text("group_separator"))
		}
		b.WriteRune(digit)
	}
	return b.String()
}

// size returns the size of a file in the decimal units that browsers show for downloads,
// so that recipients see the same number twice; "" for an unknown size. Operators see
// binary units and the exact number: explain.Size.
func (c *catalogue) size(n int64) string {
	if n == gateway.UnknownSize {
		return ""
	}
	if n < 1000 {
		return c.count("bytes", n)
	}
	units := []string{"kilobytes", "megabytes", "gigabytes", "terabytes"}
	size, unit := float64(n)/1000, 0
	for ; size >= 999.95 && unit < len(units)-1; unit++ {
		size /= 1000
	}
	whole, tenth, _ := strings.Cut(strconv.FormatFloat(size, 'f', 1, 64), ".")
	number := whole + c.text("decimal_separator") + tenth
	return strings.ReplaceAll(c.text(units[unit]), "{n}", number)
}

// appendDate appends a time in UTC as HTML.
func (c *catalogue) appendDate(b []byte, t time.Time) []byte {
	year, month, number := t.UTC().Date()
	day := strconv.Itoa(number)
	if number == 1 {
		day = c.html["first_day"] // French: 1er
	}
	var space [32]byte // for the strings below, which otherwise each cost an allocation
	digits := strconv.AppendInt(space[:0], int64(year), 10)
	clock := t.UTC().AppendFormat(digits[len(digits):], "15:04")
	return appendFilled(b, c.html["date_time"],
		"day", day, "month", c.months[month-1], "year", string(digits), "time", string(clock))
}

// appendRelative appends a time as HTML, as its distance from now, such as "in 3 hours". It
// rounds towards now, so that no link seems to live longer than it does.
func (c *catalogue) appendRelative(b []byte, t, now time.Time) []byte {
	distance, units := t.Sub(now), [...]string{"in_moments", "in_minutes", "in_hours", "in_days"}
	if distance < 0 {
		distance, units = -distance, [...]string{"moments_ago", "minutes_ago", "hours_ago", "days_ago"}
	}
	switch {
	case distance < time.Minute:
		return append(b, c.html[units[0]]...)
	case distance < time.Hour:
		return c.appendCount(b, units[1], int64(distance/time.Minute))
	case distance < 48*time.Hour:
		return c.appendCount(b, units[2], int64(distance/time.Hour))
	}
	return c.appendCount(b, units[3], int64(distance/(24*time.Hour)))
}

// appendTime appends the HTML of a time: an absolute time, which the script rewrites into
// the reader's time zone, and its distance from now.
func (c *catalogue) appendTime(b []byte, t, now time.Time) []byte {
	b = append(b, `<time datetime="`...)
	shown := t.Round(time.Second) // as operators see it: a link until 18:00 may end just before
	b = shown.UTC().AppendFormat(b, time.RFC3339)
	b = append(b, `">`...)
	b = c.appendDate(b, shown)
	b = append(b, `</time> <span class="relative">`...)
	b = c.appendRelative(b, t, now)
	return append(b, `</span>`...)
}
