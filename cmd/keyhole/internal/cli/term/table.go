package term

import (
	"fmt"
	"io"
	"os"
	"strings"
	"unicode"

	"golang.org/x/term"
	"golang.org/x/text/width"
)

const (
	// Gap is the number of spaces between two columns. indent is the number before the
	// next line of a row.
	Gap, indent = 2, 4
	// leastLast is the smallest width of the last column, however narrow a terminal is.
	leastLast = 20
)

// tints returns the colours of important words, as SGR parameters (ECMA-48 section
// 8.3.117).
func tints() map[string]string {
	return map[string]string{
		"active": "32", "paused": "33", "not_yet": "33", "revoked": "31", "expired": "2", "used_up": "2",
		"redirected": "32", "refused": "31", "failed": "31", "yes": "33",
	}
}

// screen describes where a table is printed.
type screen struct {
	Width    int // in columns; 0: unlimited
	coloured bool
}

// ScreenOf returns the size of the terminal behind w, and whether it shows colours. If w is
// not a terminal, it returns the zero value. NO_COLOR turns colours off (no-color.org).
func ScreenOf(w io.Writer) screen {
	file, ok := w.(*os.File)
	if !ok || !IsTerminal(w) {
		return screen{}
	}
	columns, _, err := term.GetSize(int(file.Fd()))
	if err != nil {
		columns = 0
	}
	return screen{Width: columns, coloured: os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"}
}

// PrintTable prints rows in columns. On a terminal a row that does not fit continues on the
// next line, and the last column is cut in its middle.
func PrintTable(w io.Writer, rows [][]string) error {
	_, err := io.WriteString(w, tableText(rows, ScreenOf(w)))
	return err
}

// tableText lays rows out. It is apart from PrintTable so that tests choose the screen.
// Cells are escaped before they are measured.
func tableText(rows [][]string, s screen) string {
	cells := make([][]string, len(rows))
	var widths []int
	for i, row := range rows {
		for j, cell := range row {
			cell = Plain(cell)
			cells[i] = append(cells[i], cell)
			if j == len(widths) {
				widths = append(widths, 0)
			}
			widths[j] = max(widths[j], Columns(cell))
		}
	}
	begins, wraps := beginnings(widths, s.Width)
	var b strings.Builder
	for _, row := range cells {
		for j, cell := range row {
			if j == len(widths)-1 && s.Width > 0 && begins[j]+Columns(cell) > s.Width {
				if begins[j] > indent { // then it has its own line
					b.WriteString("\n" + strings.Repeat(" ", indent))
				}
				cell = cut(cell, max(s.Width-indent, leastLast))
			}
			end := begins[j] + Columns(cell)
			if tint, ok := tints()[cell]; ok && s.coloured {
				cell = "\x1b[" + tint + "m" + cell + "\x1b[0m"
			}
			b.WriteString(cell)
			switch {
			case j == len(row)-1:
			case wraps[j+1]:
				b.WriteString("\n" + strings.Repeat(" ", begins[j+1]))
			default:
				b.WriteString(strings.Repeat(" ", begins[j+1]-end))
			}
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// beginnings returns where columns begin, and which ones wrap: a column that does not fit
// into width (0: unlimited) begins an indented line. The last column wraps in each row
// separately, if a little of it fits.
func beginnings(widths []int, width int) (begins []int, wraps []bool) {
	begins, wraps = make([]int, len(widths)), make([]bool, len(widths))
	next := 0
	for j, w := range widths {
		needs := w
		if j == len(widths)-1 {
			needs = min(w, leastLast)
		}
		if j > 0 && width > 0 && next+needs > width {
			next, wraps[j] = indent, true
		}
		begins[j] = next
		next += w + Gap
	}
	return begins, wraps
}

// Columns returns how many columns of a terminal a text takes.
func Columns(text string) int {
	n := 0
	for _, r := range text {
		switch {
		case unicode.Is(unicode.Mn, r), unicode.Is(unicode.Me, r):
		case width.LookupRune(r).Kind() == width.EastAsianWide, width.LookupRune(r).Kind() == width.EastAsianFullwidth:
			n += 2
		default:
			n++
		}
	}
	return n
}

// cut shortens a text in its middle, because both the beginning and the end of a key
// identify it.
func cut(text string, columns int) string {
	if Columns(text) <= columns {
		return text
	}
	runes := []rune(text)
	head, tail := (columns-1)/2, columns-1-(columns-1)/2
	from, to := 0, len(runes)
	for used := Columns(string(runes[0])); used <= head; used += Columns(string(runes[from])) {
		from++
	}
	for used := Columns(string(runes[to-1])); used <= tail; used += Columns(string(runes[to-1])) {
		to--
	}
	for to < len(runes) && Columns(string(runes[to])) == 0 {
		to++ // an accent stays with its letter, on the other side
	}
	return fmt.Sprintf("%s…%s", string(runes[:from]), string(runes[to:]))
}
