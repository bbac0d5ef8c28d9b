//go:build system

package system

import (
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"keyhole/gateway/api"
)

// mayBeEmpty are the queries that have no data in the test, with the reason.
func mayBeEmpty() map[string]string {
	return map[string]string{
		"Certificate orders failed/A": "the test has no public.tls.acme",
		"Credentials expire in/A":     "the access key of the test does not expire",
		"Redis restarts/A":            "the test has no redis.mode local",
	}
}

// TestDashboardShowsData lets a live Prometheus, with the shipped rules, scrape two running
// gateways, and sends it every query of the dashboard: each panel has something to show, its
// legend is complete, and it follows the selection of gateways. Recipients reach one gateway
// over TLS, because one panel shows when certificates expire. Redis has a limit of memory,
// and the audit is so small that it is full, because panels show both.
func TestDashboardShowsData(t *testing.T) {
	t.Parallel()
	in := install(t, "maxmemory 100mb")
	in.put(t, "file.txt", []byte("content"))
	ca := newAuthority(t)
	small := "KEYHOLE_AUDIT_MAX_ENTRIES=1000"
	g := in.start(small, "KEYHOLE_PUBLIC_TLS_CERT_FILE="+ca.certFile, "KEYHOLE_PUBLIC_TLS_KEY_FILE="+ca.keyFile)
	g.public = "https" + strings.TrimPrefix(g.public, "http")
	other := in.start(small, shortTimeout)
	useService(t, in, g, other, ca) // Before the first scrape, because the use of the audit is read once a minute.
	prometheus := startPrometheus(t, g, other)

	queries := dashboardQueries(t)
	// Each round does everything once more, so that there are rates to show.
	eventually(t, "every panel to have data", func() error {
		useService(t, in, g, other, ca)
		var empty []string
		for title, q := range queries {
			found, err := askPrometheus(t, prometheus, q.of(".*"))
			if err != nil {
				return fatal{fmt.Errorf("panel %s: %w", title, err)}
			}
			if len(found) == 0 && mayBeEmpty()[title] == "" {
				empty = append(empty, title)
			}
		}
		if len(empty) > 0 {
			return fmt.Errorf("%d of %d panels are empty: %s", len(empty), len(queries), strings.Join(empty, ", "))
		}
		return nil
	})
	t.Logf("%d queries return data", len(queries))
	chosen := strings.TrimPrefix(g.operator, "http://")
	for title, q := range queries {
		checkQuery(t, prometheus, title, q, chosen)
	}
	eventually(t, "every rule to be evaluated", func() error { return checkRules(t, prometheus) })
}

// checkRules checks that Prometheus could evaluate each rule with all series of two gateways.
// promtool evaluates rules only with the few series of its cases.
func checkRules(t *testing.T, prometheus string) error {
	t.Helper()
	a := get(t, http.MethodGet, "http://"+prometheus+"/api/v1/rules")
	var answer struct {
		Data struct {
			Groups []struct {
				Rules []struct{ Name, Health, LastError string }
			}
		}
	}
	if err := json.Unmarshal([]byte(a.body), &answer); err != nil {
		return fatal{err}
	}
	rules := 0
	for _, group := range answer.Data.Groups {
		for _, rule := range group.Rules {
			rules++
			if rule.Health == "err" {
				return fatal{fmt.Errorf("rule %s: %s", rule.Name, rule.LastError)}
			}
			if rule.Health != "ok" {
				return fmt.Errorf("rule %s is %s", rule.Name, rule.Health)
			}
		}
	}
	if rules == 0 {
		return fatal{errors.New("Prometheus has no rules")}
	}
	return nil
}

// checkQuery checks that each series of a query has the labels of its legend, and that the
// query follows the selection of gateways.
func checkQuery(t *testing.T, prometheus, title string, q boardQuery, chosen string) {
	t.Helper()
	for _, selection := range []string{".*", chosen, "none"} {
		series, err := askPrometheus(t, prometheus, q.of(selection))
		if err != nil {
			t.Fatalf("panel %s: %v", title, err)
		}
		if selection == "none" && len(series) > 0 {
			t.Errorf("panel %s shows gateways that were not chosen: %v", title, series)
		}
		for _, labels := range series {
			if of := labels["instance"]; selection == chosen && of != "" && of != chosen {
				t.Errorf("panel %s shows %s, and %s was chosen", title, of, chosen)
			}
			for _, name := range legendLabel.FindAllStringSubmatch(q.Legend, -1) {
				if labels[name[1]] == "" {
					t.Errorf("panel %s: a series lacks the label %s of the legend: %v", title, name[1], labels)
				}
			}
		}
	}
}

// legendLabel matches a label in the legend of a panel.
var legendLabel = regexp.MustCompile(`\{\{(\w+)\}\}`)

// useService does what the dashboard shows: issues, clicks of each outcome that there is, a
// revocation, and requests that are refused. The gateway impatient has a short redis.timeout.
func useService(t *testing.T, in *installation, g, impatient *instance, ca *authority) {
	t.Helper()
	recipient := unfollowed()
	recipient.Transport = &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: ca.roots, MinVersion: tls.VersionTLS12},
	}
	defer recipient.CloseIdleConnections()
	click := func(method, path string, headers ...string) answer {
		a, err := ask(t.Context(), recipient, method, g.public+path, nil, headers...)
		if err != nil {
			t.Fatalf("%s: %v", method, err)
		}
		return a
	}
	link := share(t, g)
	path := link.URL[strings.LastIndex(link.URL, "/"):]
	for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut} {
		click(method, path)
	}
	if _, err := g.client.Revoke(t.Context(), link.ID, ""); err != nil {
		t.Fatal(err)
	}
	for range 5 { // The small audit has room for four refusals of this link.
		click(http.MethodGet, path)
	}
	click(http.MethodGet, "/favicon.ico")
	click(http.MethodGet, path, "Sec-Purpose", "prefetch")
	if _, err := g.client.Issue(t.Context(), api.IssueRequest{Bucket: "reports", Key: "missing"}); err == nil {
		t.Fatal("a link to a missing object was issued")
	}
	if a := get(t, http.MethodGet, g.operator+"/api/v1/links"); a.status != http.StatusUnauthorized {
		t.Fatalf("without a key: %d", a.status)
	}
	// A Redis that is silent for a click: unavailable is shown as well.
	in.redis.Pause(t)
	if a := get(t, http.MethodGet, impatient.public+path); a.status != http.StatusServiceUnavailable {
		t.Fatalf("without Redis: %d", a.status)
	}
	in.redis.Resume(t)
	g.waitReady(t)
	impatient.waitReady(t)
}

// startPrometheus starts the shipped configuration against gateways, scraping once a
// second, and returns its address.
func startPrometheus(t *testing.T, gateways ...*instance) string {
	t.Helper()
	path, err := exec.LookPath("prometheus")
	if err != nil {
		t.Fatal("prometheus is not installed: run deploy/test, which installs it")
	}
	shipped, err := os.ReadFile("../../../../deploy/prometheus/prometheus.yml")
	if err != nil {
		t.Fatal(err)
	}
	rules, err := filepath.Abs("../../../../deploy/prometheus/rules")
	if err != nil {
		t.Fatal(err)
	}
	address := freeAddress(t)
	var targets []string
	for _, g := range gateways {
		targets = append(targets, strings.TrimPrefix(g.operator, "http://"))
	}
	text := strings.NewReplacer(
		"gateway:8081", strings.Join(targets, `", "`),
		"localhost:9090", address, "rules/*.yml", rules+"/*.yml", "15s", "1s",
	).Replace(string(shipped))
	dir := t.TempDir()
	file := filepath.Join(dir, "prometheus.yml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	p := startProcess(t, path, nil, "--config.file", file, "--storage.tsdb.path", filepath.Join(dir, "data"),
		"--web.listen-address", address, "--log.level", "error")
	eventually(t, "Prometheus to scrape the service", func() error {
		found, err := askPrometheus(t, address, `up{job="keyhole"} == 1`)
		if err == nil && len(found) < len(gateways) {
			err = errors.New("not scraped")
		}
		return errors.Join(err, p.exited())
	})
	return address
}

// askPrometheus sends Prometheus one query and returns the labels of each series with a
// value.
func askPrometheus(t *testing.T, address, expr string) ([]map[string]string, error) {
	t.Helper()
	c := unfollowed()
	defer c.CloseIdleConnections() // Prometheus takes 512 connections and no more
	a, err := ask(t.Context(), c, http.MethodGet, "http://"+address+"/api/v1/query?query="+url.QueryEscape(expr), nil)
	if err != nil {
		return nil, err
	}
	var answer struct {
		Status string
		Error  string
		Data   struct {
			Result []struct {
				Metric map[string]string
				Value  [2]any
			}
		}
	}
	if err := json.Unmarshal([]byte(a.body), &answer); err != nil {
		return nil, err
	}
	if answer.Status != "success" {
		return nil, errors.New(answer.Error)
	}
	var found []map[string]string
	for _, series := range answer.Data.Result {
		if series.Value[1] != "NaN" { // nothing divided by nothing shows nothing
			found = append(found, series.Metric)
		}
	}
	return found, nil
}

// boardQuery is one query of the dashboard.
type boardQuery struct {
	Expr, RefID string
	Legend      string `json:"legendFormat"`
}

// of returns the query as Grafana would send it for a short range and a selection of
// gateways, a regular expression.
func (q boardQuery) of(instances string) string {
	return strings.NewReplacer("$__rate_interval", "1m", "$__range", "1m", "$instance", instances).Replace(q.Expr)
}

// dashboardQueries returns every query of the shipped dashboard by its panel.
func dashboardQueries(t *testing.T) map[string]boardQuery {
	t.Helper()
	text, err := os.ReadFile("../../../../deploy/grafana/dashboards/keyhole.json")
	if err != nil {
		t.Fatal(err)
	}
	var board struct {
		Panels []struct {
			Title   string
			Targets []boardQuery
		}
	}
	if err := json.Unmarshal(text, &board); err != nil {
		t.Fatal(err)
	}
	queries := map[string]boardQuery{}
	for _, panel := range board.Panels {
		for _, target := range panel.Targets {
			queries[panel.Title+"/"+target.RefID] = target
		}
	}
	if len(queries) == 0 {
		t.Fatal("the dashboard asks for nothing")
	}
	return queries
}
