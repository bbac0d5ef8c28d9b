//go:build system

package system

import (
	"strings"
	"testing"

	"keyhole/gateway/api"
	"keyhole/gateway/objects/s3test"
)

// TestConsoleLayout checks what operators see and touch on the pages of the console, on a phone
// and on a wide screen.
func TestConsoleLayout(t *testing.T) {
	t.Parallel()
	in := installOver(t, s3test.StartMemory(t, "reports"))
	g := in.start()
	used := ""
	for _, key := range []string{"a.txt", "b.txt", longKey("")} {
		in.s3.Put(t, "reports", key, "text/plain", []byte("a"))
		link, err := g.client.Issue(t.Context(), api.IssueRequest{
			Bucket: "reports", Key: key, Confirm: true, Labels: map[string]string{"run": "layout"},
		})
		if err == nil && used == "" {
			used = link.ID
			_, err = post(t.Context(), unfollowed(), link.URL, confirmation(""))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	c := openForConsole(t)
	for _, one := range []struct {
		name string
		walk func(*operatorJourney, *chromium)
	}{
		{"boxes", boxesAreLarge},
		{"contrast of boxes", boxesAreClear},
		{"filters", filtersFold},
		{"long names", namesKeepTheirEnd},
		{"errors", errorsKeepRows},
		{"chart", func(j *operatorJourney, c *chromium) { chartHasAxis(j, c, used) }},
	} {
		t.Run(one.name, func(t *testing.T) {
			one.walk(&operatorJourney{journey{c, t, g, nil}, in.key, false}, c)
		})
	}
}

// The sizes of the windows: a phone, and a wide screen.
const (
	phoneWidth, phoneHeight = 390, 640
	wideWidth               = 1024
)

// boxesAreLarge expects that the boxes of rows can be touched within 44 pixels, and that the box
// of all stands in their column.
func boxesAreLarge(j *operatorJourney, c *chromium) {
	j.begin("/objects", "<h1>Objects</h1>")
	for _, page := range []string{"/links", "/objects?bucket=reports"} {
		for _, width := range []int{phoneWidth, wideWidth} {
			j.must(c.viewport(width, phoneHeight, 1))
			j.open(j.consoleAddress(page), "Select")
			j.shows(`[...document.querySelectorAll("td.select label")].map(e => e.getBoundingClientRect()).
				filter(r => r.width >= 44 && r.height >= 44).length`, "3")
			j.shows(`new Set([...document.querySelectorAll("form > label > input, td.select input")].
				map(e => e.getBoundingClientRect()).map(r => Math.round(r.left + r.width / 2))).size`, "1")
		}
	}
}

// boxContrast is JavaScript that tells the lowest contrast of a box that is not checked with what
// is around it (WCAG 2.2, success criterion 1.4.11, and its "relative luminance").
const boxContrast = `(() => {
	const luminance = (color) => {
		const [r, g, b] = color.match(/[\d.]+/g).map(v => v / 255).
			map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
		return 0.2126 * r + 0.7152 * g + 0.0722 * b;
	};
	const behind = (e) => {
		const color = getComputedStyle(e).backgroundColor;
		return color === "rgba(0, 0, 0, 0)" ? behind(e.parentElement) : color;
	};
	const boxes = [...document.querySelectorAll("[type=checkbox], [type=radio]")].filter(e => !e.checked && !e.disabled);
	return Math.min(...boxes.map(e => {
		const style = getComputedStyle(e);
		const [a, b] = [style.borderTopColor, behind(e.parentElement)].map(luminance);
		return parseFloat(style.borderTopWidth) < 1 ? 0 : (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
	})) >= 3;
})()`

// boxesAreClear expects that boxes that are not checked are clear, light and dark.
func boxesAreClear(j *operatorJourney, c *chromium) {
	j.begin("/objects", "<h1>Objects</h1>")
	for _, page := range []string{"/links", "/share?bucket=reports&key=a.txt"} {
		j.open(j.consoleAddress(page), "<main")
		for _, scheme := range []string{"light", "dark"} {
			j.must(c.scheme(scheme))
			if clear := j.script("return String(" + boxContrast + ")"); clear != "true" {
				j.t.Errorf("%s, %s: a box has a contrast below 3:1", page, scheme)
			}
		}
	}
}

// filtersFold expects that a phone shows the first link of the list on its first screen, unless a
// filter is set that the operator must see. A wide screen always shows the filters.
func filtersFold(j *operatorJourney, c *chromium) {
	j.begin("/objects", "<h1>Objects</h1>")
	const (
		visible = `document.querySelector("#label").checkVisibility()`
		first   = `document.querySelector("tbody tr .name").getBoundingClientRect().bottom < innerHeight`
	)
	for _, page := range []struct {
		width           int
		path            string
		visible, listed string
	}{
		{phoneWidth, "/links", "false", "true"},
		{phoneWidth, "/links?ends_within=24h", "false", "true"},
		{phoneWidth, "/links?label=run%3Dlayout", "true", "false"},
		{wideWidth, "/links", "true", "true"},
		{wideWidth, "/links?label=run%3Dlayout", "true", "true"},
	} {
		j.must(c.viewport(page.width, phoneHeight, 1))
		j.open(j.consoleAddress(page.path), "<h1>Links</h1>")
		j.shows(visible, page.visible)
		j.shows(first, page.listed)
	}
	j.must(c.viewport(phoneWidth, phoneHeight, 1))
	j.open(j.consoleAddress("/links"), "<h1>Links</h1>")
	j.shows(`document.querySelector(".fold > summary").textContent`, "Filters: All live links")
	j.script(`document.querySelector(".fold > summary").click()`)
	j.shows(visible, "true")
	// The views follow a filter that is typed.
	j.script(`document.querySelector("#label").focus()`)
	j.must(j.press("run=layout"))
	j.shows(`document.querySelector(".fold > summary").textContent +
		document.querySelectorAll(".views [aria-current]").length`, "Filters0")
	j.shows(visible, "true")
}

// namesKeepTheirEnd expects that a list shortens a long name in the middle.
func namesKeepTheirEnd(j *operatorJourney, c *chromium) {
	j.begin("/objects", "<h1>Objects</h1>")
	for _, page := range []string{"/links", "/objects?bucket=reports", "/audit"} {
		for _, width := range []int{phoneWidth, wideWidth} {
			j.must(c.viewport(width, phoneHeight, 1))
			j.open(j.consoleAddress(page), ".pdf")
			j.shows(`(() => {
				const name = document.querySelector("table .long"), [start, end] = name.children;
				return [start.scrollHeight > start.clientHeight, end.scrollHeight > end.clientHeight,
					end.getBoundingClientRect().bottom <= name.closest("tr").getBoundingClientRect().bottom,
					end.textContent.endsWith(".pdf"), name.title === name.textContent].join();
			})()`, "true,false,true,true,true")
		}
	}
}

// errorsKeepRows expects that the fields of a row stand side by side if one of them is refused.
func errorsKeepRows(j *operatorJourney, c *chromium) {
	j.must(c.viewport(wideWidth, phoneHeight, 1))
	j.begin("/share?bucket=reports&key=a.txt", "This is what you share")
	j.fill(map[string]string{"max_clicks": "0"})
	j.follow("Create the link", "Please correct")
	j.shows(`new Set(["expires_in", "max_clicks"].map(id =>
		document.getElementById(id).getBoundingClientRect().top)).size`, "1")
	j.shows(`document.getElementById("max_clicks-error").getBoundingClientRect().top >
		document.getElementById("max_clicks").getBoundingClientRect().bottom`, "true")
}

// chartHasAxis expects that a chart of one day has its date, its number and an axis, in letters
// that are not stretched.
func chartHasAxis(j *operatorJourney, c *chromium, id string) {
	j.must(c.viewport(phoneWidth, phoneHeight, 1))
	j.begin("/links/"+id, "What happened")
	texts := j.script(`return [...document.querySelectorAll(".chart svg text")].map(e => e.textContent).join()`)
	if parts := strings.Split(texts, ","); len(parts) != 4 || strings.Join(parts[:3], ",") != "1,0,1" {
		j.t.Errorf("the texts of the chart are %q", texts)
	}
	j.shows(`(() => {
		const at = document.querySelector(".chart svg").getScreenCTM();
		return at.a === at.d && at.a > 0.8;
	})()`, "true")
}
