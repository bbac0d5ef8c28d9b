package console

import (
	"net/http"
	"strings"
	"time"

	"keyhole/gateway"
	"keyhole/gateway/explain"
)

// moment is a time as pages show it: in UTC, with the distance from now. The script shows
// it in the time zone of the browser.
type moment struct {
	At, Now time.Time
}

// newMoment returns a moment.
func newMoment(at, now time.Time) moment { return moment{At: at, Now: now} }

// Zero reports whether the time is unknown.
func (m moment) Zero() bool { return m.At.IsZero() }

// Past reports whether the time is over.
func (m moment) Past() bool { return m.At.Before(m.Now) }

// ISO returns the time for the attribute datetime.
func (m moment) ISO() string { return explain.Moment(m.At.UTC()) }

// Text returns the time in UTC, rounded like ISO.
func (m moment) Text() string {
	return m.At.UTC().Round(time.Second).Format("2 Jan 2006, 15:04:05") + " UTC"
}

// Relative returns the distance from now in one unit, such as "in 3 hours" or "2 days ago".
func (m moment) Relative() string { return m.distance(roughly) }

// Precise is Relative with the minutes too if the distance is below 48 hours. After an
// extension by two hours, "in 1 hour" would look like half of it.
func (m moment) Precise() string { return m.distance(precisely) }

// distance returns the distance from now, in the form that a function gives a duration.
func (m moment) distance(form func(time.Duration) string) string {
	distance := m.At.Sub(m.Now)
	text := form(distance.Abs())
	switch {
	case distance.Abs() < time.Second:
		return "now"
	case distance > 0:
		return "in " + text
	}
	return text + " ago"
}

// roughly returns a duration in its largest unit, rounded down.
// So a page never promises more time than is left. Below 48 hours it counts hours, because
// "1 day" could be nearly two.
func roughly(d time.Duration) string {
	switch {
	case d < time.Minute:
		return explain.Plural(int(d/time.Second), "second")
	case d < time.Hour:
		return explain.Plural(int(d/time.Minute), "minute")
	case d < 48*time.Hour:
		return explain.Plural(int(d/time.Hour), "hour")
	}
	return explain.Plural(int(d/(24*time.Hour)), "day")
}

// precisely returns a duration as roughly does, with the minutes after hours.
func precisely(d time.Duration) string {
	text := roughly(d)
	if minutes := int(d%time.Hour) / int(time.Minute); d >= time.Hour && d < 48*time.Hour && minutes > 0 {
		text += " " + explain.Plural(minutes, "minute")
	}
	return text
}

// number returns a number with separators: 12,345.
func number(n int64) string { return explain.Number(n) }

// plural returns a number with separators and the thing in singular or plural.
func plural(n int, thing string) string {
	words := explain.Plural(n, thing)
	_, name, _ := strings.Cut(words, " ")
	return number(int64(n)) + " " + name
}

// size returns the size of an object in words.
func size(bytes int64) string {
	if bytes == gateway.UnknownSize {
		return explain.Size(nil)
	}
	return explain.Size(&bytes)
}

// statusTitle returns a short heading for an HTTP status.
func statusTitle(status int) string {
	switch status {
	case http.StatusUnauthorized:
		return "Please sign in again"
	case http.StatusForbidden:
		return "Not allowed"
	case http.StatusNotFound:
		return "Not found"
	case http.StatusConflict, http.StatusPreconditionFailed:
		return "Something has changed"
	case http.StatusUnprocessableEntity, http.StatusBadRequest, http.StatusRequestEntityTooLarge:
		return "That did not work"
	case http.StatusTooManyRequests:
		return "Too many requests"
	case http.StatusServiceUnavailable:
		return "Not available right now"
	case http.StatusMisdirectedRequest:
		return "This is another service"
	}
	return "Something went wrong"
}
