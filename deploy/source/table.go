package main

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
)

// column is one measure of the table: its title, and how a package's cell is written.
type column struct {
	title string
	value func(m *measures) string
}

// columns returns the columns that are printed. Limits apply to most of them; see
// excesses.
func columns(withCoverage bool) []column {
	all := []column{
		{"files", func(m *measures) string { return strconv.Itoa(m.files) }},
		{"lines", func(m *measures) string { return strconv.Itoa(m.lines) }},
		{"longest file", func(m *measures) string { return strconv.Itoa(max(m.longest.lines, m.longestTest.lines)) }},
		{"functions", func(m *measures) string { return strconv.Itoa(len(m.functions)) }},
		{"p50", func(m *measures) string { return strconv.Itoa(m.percentile(50)) }},
		{"p90", func(m *measures) string { return strconv.Itoa(m.percentile(90)) }},
		{"longest function", func(m *measures) string { return strconv.Itoa(m.percentile(100)) }},
		{"comments %", func(m *measures) string { return fmt.Sprintf("%.1f", m.share()) }},
		{"lines > " + strconv.Itoa(maxColumns), func(m *measures) string { return strconv.Itoa(m.wide) }},
		{"tests / code", func(m *measures) string { return fmt.Sprintf("%.2f", m.ratio()) }},
		{"undocumented", func(m *measures) string { return strconv.Itoa(len(m.undocumented)) }},
	}
	if withCoverage {
		all = append(all, column{"coverage %", func(m *measures) string { return m.coverage }})
	}
	return all
}

// writeTable prints a Markdown table with a row for each package. A cell shows the
// value before and after, or one value if both are equal.
func writeTable(out io.Writer, before, after []measures, o measureOptions) error {
	shown := columns(o.coverage)
	var b strings.Builder
	if o.before != "" {
		fmt.Fprintf(&b, "Before: %s. After: this tree.\n\n", o.before)
	}
	b.WriteString("| package |")
	for _, c := range shown {
		b.WriteString(" " + c.title + " |")
	}
	b.WriteString("\n| --- |" + strings.Repeat(" ---: |", len(shown)) + "\n")
	rows := mergedRows(before, after)
	if len(o.packages) == 0 {
		rows = append(rows, row{"all", total(before, o.before != ""), total(after, true)})
	}
	for _, r := range rows {
		b.WriteString("| " + r.name + " |")
		for _, c := range shown {
			b.WriteString(" " + r.cell(c, o.before != "") + " |")
		}
		b.WriteString("\n")
	}
	_, err := io.WriteString(out, b.String())
	return err
}

// row is a package before and after; either may be nil.
type row struct {
	name          string
	before, after *measures
}

// cell returns one measure of the row.
func (r row) cell(c column, compare bool) string {
	// A dash stands for a package that does not exist there.
	value := func(m *measures) string {
		if m == nil {
			return "–"
		}
		return c.value(m)
	}
	after := value(r.after)
	if !compare {
		return after
	}
	if before := value(r.before); before != after {
		return before + " → " + after
	}
	return after
}

// mergedRows pairs the packages of both trees by directory, in the order of directories. A
// package that was moved appears twice: removed there and new here.
func mergedRows(before, after []measures) []row {
	byDir := map[string]*row{}
	var all []*row
	at := func(dir string) *row {
		if byDir[dir] == nil {
			byDir[dir] = &row{name: dir}
			all = append(all, byDir[dir])
		}
		return byDir[dir]
	}
	for i := range before {
		at(before[i].dir).before = &before[i]
	}
	for i := range after {
		at(after[i].dir).after = &after[i]
	}
	slices.SortFunc(all, func(a, b *row) int { return strings.Compare(a.name, b.name) })
	rows := make([]row, len(all))
	for i, r := range all {
		rows[i] = *r
	}
	return rows
}

// total returns the measures of all packages together: sums, the longest files, and the
// percentiles of all functions. It returns nil if there is no such tree. It has no
// coverage, because go test reports that by package.
func total(all []measures, exists bool) *measures {
	if !exists {
		return nil
	}
	sum := &measures{}
	for i := range all {
		m := &all[i]
		sum.files += m.files
		sum.lines += m.lines
		sum.longest = longer(sum.longest, m.longest)
		sum.longestTest = longer(sum.longestTest, m.longestTest)
		sum.functions = append(sum.functions, m.functions...)
		sum.comments += m.comments
		sum.wide += m.wide
		sum.tests += m.tests
		sum.undocumented = append(sum.undocumented, m.undocumented...)
	}
	slices.SortStableFunc(sum.functions, func(a, b length) int { return a.lines - b.lines })
	return sum
}
