//go:build system

package system

import (
	"flag"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"keyhole/gateway"
	"keyhole/gateway/api"
	"keyhole/gateway/objects/s3test"
)

// consolePictures is the directory for pictures of the console.
var consolePictures = flag.String("console-pictures", "", //nolint:gochecknoglobals // a flag of the test binary
	"directory for a picture of every page of the console")

// consoleState is a page of the console in one state.
type consoleState struct {
	name string
	show func(*operatorJourney)
}

// consoleData is what the states of the console show.
type consoleData struct {
	used, ended api.Link
	longKey     string
}

// longKey returns a key of 1,024 bytes, the longest that S3 allows, below a prefix.
func longKey(prefix string) string {
	return prefix + strings.Repeat("Quartalsbericht", 1024/15)[:1024-len(prefix)-4] + ".pdf"
}

// pictureRows is the number of objects in the largest folder of the pictures. The test
// without pictures makes fewer, because these take about 15 seconds.
const pictureRows = 10_000

// fillConsole puts objects and links into an installation: three of one kind, and many. The
// names, notes and labels of the newest are long, so that the first page shows them.
func fillConsole(t *testing.T, in *installation, g *instance) *consoleData {
	t.Helper()
	d := &consoleData{longKey: longKey("many/")}
	reports := 57
	if *consolePictures != "" {
		fillReports(t, in, g, reports, pictureRows-3)
	}
	var keys []string
	for _, name := range []string{"annual report 2026.pdf", "orders.csv", "summary.txt"} {
		keys = append(keys, "three/"+name)
	}
	for i := range reports {
		keys = append(keys, reportKey(i))
	}
	keys = append(keys, "many/تقرير الربع الثالث.pdf", "many/a <b>bold</b> & \"quoted\" name.html", d.longKey)
	for i, key := range keys {
		in.s3.Put(t, "reports", key, "application/pdf", randomBytes(100*(i%7)+1))
		set, r := strings.Split(key, "/")[0], api.IssueRequest{Bucket: "reports", Key: key, Confirm: true}
		r.Labels = map[string]string{"set": set}
		if i%3 == 2 {
			r.Labels["customer"], r.Note = "example-ltd", strings.TrimSpace(strings.Repeat("for the auditors, ", 10))
			r.MaxClicks = new(int64(1_000_000))
		}
		link, err := g.client.Issue(t.Context(), r)
		if err == nil && key == d.longKey {
			d.used = link
			for range 3 {
				_, err = post(t.Context(), unfollowed(), link.URL, confirmation(""))
			}
		}
		if err == nil && i%10 == 5 {
			d.ended, err = g.client.Revoke(t.Context(), link.ID, "sent to the wrong person")
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return d
}

// reportKey returns the key of a report of the folder with many objects.
func reportKey(i int) string { return fmt.Sprintf("many/report %05d.pdf", i) }

// fillReports puts the reports from first on into the folder with many objects, and issues
// a link to each of them.
func fillReports(t *testing.T, in *installation, g *instance, first, end int) {
	t.Helper()
	for first < end {
		var batch api.BatchRequest
		for ; first < end && len(batch.Links) < gateway.MaxBatch; first++ {
			key := reportKey(first)
			in.s3.Put(t, "reports", key, "application/pdf", randomBytes(1))
			batch.Links = append(batch.Links, api.IssueRequest{
				Bucket: "reports", Key: key, Labels: map[string]string{"set": "many"},
			})
		}
		answer, err := g.client.IssueBatch(t.Context(), batch)
		if err != nil {
			t.Fatal(err)
		}
		for i := range answer.Results {
			if answer.Results[i].Link == nil {
				t.Fatalf("no link to %s: %v", batch.Links[i].Key, answer.Results[i].Problem)
			}
		}
	}
}

// consoleStates returns every page in the states that look different.
func consoleStates(d *consoleData) []consoleState {
	page := func(name, path, says string) consoleState {
		return consoleState{name, func(j *operatorJourney) { j.open(j.consoleAddress(path), says) }}
	}
	share := func(j *operatorJourney) {
		j.open(j.consoleAddress("/share?bucket=reports&key=three/orders.csv"), "This is what you share")
	}
	return []consoleState{
		page("buckets", "/objects", "<h1>Objects</h1>"),
		page("objects-0", "/objects?bucket=exports", "Nothing here"),
		page("objects-3", "/objects?bucket=reports&prefix=three/", "orders.csv"),
		page("objects-many", "/objects?bucket=reports&prefix=many/", "report 00001.pdf"),
		page("search", "/objects?bucket=reports&prefix=three/&search=annual", "annual report"),
		page("search-many", "/objects?bucket=reports&search=nothing", "found"),
		page("search-0", "/objects?bucket=reports&prefix=three/&search=nothing", "No object found"),
		{"share", share},
		{"share-long", func(j *operatorJourney) {
			j.open(j.consoleAddress("/share?bucket=reports&key="+d.longKey), "This is what you share")
			j.script(`document.querySelector("details:has(input)").open = true`)
		}},
		{"share-refused", func(j *operatorJourney) {
			share(j)
			j.fill(map[string]string{"max_clicks": "0", "passphrase": "short", "allow": "nowhere"})
			j.follow("Create the link", "Please correct")
		}},
		page("share-missing", "/share?bucket=reports&key=missing", "This object cannot be shared"),
		{"shared", func(j *operatorJourney) {
			share(j)
			j.fill(map[string]string{"make_passphrase": "1", "max_clicks": "2"})
			j.follow("Create the link", "The link is ready")
			j.script(`document.querySelector("details").open = true`)
		}},
		page("links-0", "/links?label=set%3Dnone", "No link"),
		page("links-3", "/links?label=set%3Dthree", "orders.csv"),
		page("links-many", "/links?state=active,paused,revoked", "Quartalsbericht"),
		page("links-refused", "/links?label=no", "Please correct"),
		{"link-unknown", func(j *operatorJourney) {
			j.open(j.consoleAddress("/links"), "<h1>Links</h1>")
			j.fill(map[string]string{"q": "not a link"})
			j.follow("Find", "Enter the URL of a link")
		}},
		page("link", "/links/"+d.used.ID, "What happened"),
		{"link-change", func(j *operatorJourney) {
			j.open(j.consoleAddress("/links/"+d.used.ID), "What happened")
			j.script(`document.querySelector("details:has(form)").open = true`)
			j.fill(map[string]string{"max_clicks": "0"})
			j.follow("Save the change", "Please correct")
		}},
		page("link-revoked", "/links/"+d.ended.ID, "sent to the wrong person"),
		{"revoke", func(j *operatorJourney) {
			j.open(j.consoleAddress("/links/"+d.used.ID), "What happened")
			j.follow("Revoke", "Revoke this link?")
		}},
		{"revocations", func(j *operatorJourney) {
			j.open(j.consoleAddress("/links?label=set%3Dthree"), "orders.csv")
			j.follow("Revoke all that match", "<h1>Revoke")
		}},
		{"revocations-many", func(j *operatorJourney) {
			j.open(j.consoleAddress("/links?label=set%3Dmany"), "Quartalsbericht")
			j.follow("Revoke all that match", "<h1>Revoke")
		}},
		page("audit", "/audit", "</main>"),
		page("audit-refused", "/audit?label=no", "Please correct"),
		page("health", "/health", "</main>"),
		page("help", "/help", "<h1>Help</h1>"),
		page("missing", "/missing", "Not found"),
		{"sign-in", func(j *operatorJourney) {
			j.must(j.forget())
			j.open(j.consoleAddress("/objects"), "<h1>Sign in</h1>")
		}},
		{"sign-in-refused", func(j *operatorJourney) {
			j.fill(map[string]string{"key": "wrong"})
			j.follow("Sign in", "does not know that operator key")
		}},
	}
}

// TestConsolePages runs axe-core on every page of the console, light and dark, and expects
// that no page scrolls sideways in a window of 320 pixels. deploy/pictures --console runs
// the test with -console-pictures.
func TestConsolePages(t *testing.T) {
	t.Parallel()
	in := installOver(t, s3test.StartMemory(t, "reports", "exports"))
	g := in.start()
	d := fillConsole(t, in, g)
	c := openWithAxe(t)
	unclear := map[string]int{}
	j := &operatorJourney{journey{c, t, g, nil}, in.key, false}
	j.begin("/objects", "<h1>Objects</h1>")
	for _, state := range consoleStates(d) {
		j.must(c.viewport(1024, 768, 1))
		state.show(j)
		for _, scheme := range []string{"light", "dark"} {
			checkAccessible(t, c, state.name+", "+scheme, scheme, unclear)
		}
		j.must(c.viewport(320, 640, 1))
		fitsConsole(j, state.name)
		if *consolePictures != "" {
			pictureConsole(t, c, state.name)
		}
	}
	t.Logf("axe-core leaves to people: %v", unclear)
}

// consoleLayout is JavaScript that tells what reaches beyond the window.
const consoleLayout = `return document.documentElement.scrollWidth > innerWidth ?
	document.documentElement.scrollWidth + " pixels\n" + [...document.querySelectorAll("body *")].filter(e =>
		e.getBoundingClientRect().right > innerWidth + 0.5).slice(0, 5).map(e => e.outerHTML.slice(0, 160)).join("\n") : ""`

// fitsConsole fails the test if the open page is wider than the window.
func fitsConsole(j *operatorJourney, name string) {
	j.t.Helper()
	if beyond := j.script(consoleLayout); beyond != "" {
		j.t.Errorf("%s: %s", name, beyond)
	}
}

// pictureConsole takes pictures of the open page in every width and both schemes.
func pictureConsole(t *testing.T, c *chromium, name string) {
	t.Helper()
	for _, width := range []int{390, 1024, 1600} {
		for _, scheme := range []string{"light", "dark"} {
			v := &view{"en", width, scheme, 1}
			var l layout
			err := c.scheme(scheme)
			if err == nil {
				err = c.viewport(width, 640, 1)
			}
			if err == nil {
				err = c.evaluateInto(`JSON.stringify({Height: document.documentElement.scrollHeight})`, &l)
			}
			if err != nil {
				t.Fatal(err)
			}
			takePicture(t, c, v, &l, filepath.Join(*consolePictures, fmt.Sprintf("%s.%d.%s.png", name, width, scheme)))
		}
	}
}
