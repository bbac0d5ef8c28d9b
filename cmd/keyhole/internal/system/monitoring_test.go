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
	"strings"
	"testing"

	"keyhole/gateway/api"
)

// TestDashboardShowsData lets a live Prometheus, with the shipped rules, scrape a
// running service, and asks it every question of the dashboard: each panel has
// something to show. Recipients reach the service over TLS, because one panel shows
// when certificates expire.
func TestDashboardShowsData(t *testing.T) {
	t.Parallel()
	in := install(t)
	in.put(t, "file.txt", []byte("content"))
	ca := newAuthority(t)
	g := in.start("KEYHOLE_PUBLIC_TLS_CERT_FILE="+ca.certFile, "KEYHOLE_PUBLIC_TLS_KEY_FILE="+ca.keyFile)
	g.public = "https" + strings.TrimPrefix(g.public, "http")
	prometheus := startPrometheus(t, g)

	queries := dashboardQueries(t)
	// Each round does everything once more, so that there are rates to show.
	eventually(t, "every panel to have data", func() error {
		useService(t, in, g, ca)
		var empty []string
		for title, expr := range queries {
			found, err := countSeries(t, prometheus, expr)
			if err != nil {
				return fatal{fmt.Errorf("panel %s: %w", title, err)}
			}
			if found == 0 {
				empty = append(empty, title)
			}
		}
		if len(empty) > 0 {
			return fmt.Errorf("%d of %d panels are empty: %s", len(empty), len(queries), strings.Join(empty, ", "))
		}
		return nil
	})
	t.Logf("%d queries return data", len(queries))
}

// useService does what the dashboard shows: issues, clicks of each outcome that
// there is, a revocation, and requests that are refused.
func useService(t *testing.T, in *installation, g *instance, ca *authority) {
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
	click(http.MethodGet, path)
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
	if a := click(http.MethodGet, path); a.status != http.StatusServiceUnavailable {
		t.Fatalf("without Redis: %d", a.status)
	}
	in.redis.Resume(t)
	g.waitReady(t)
}

// startPrometheus starts the shipped configuration against g, scraping once a
// second, and returns its address.
func startPrometheus(t *testing.T, g *instance) string {
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
	text := strings.NewReplacer(
		"gateway:8081", strings.TrimPrefix(g.operator, "http://"),
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
		found, err := countSeries(t, address, `up{job="keyhole"} == 1`)
		if err == nil && found == 0 {
			err = errors.New("not scraped")
		}
		return errors.Join(err, p.exited())
	})
	return address
}

// countSeries asks Prometheus one question and returns the number of
// series with a value.
func countSeries(t *testing.T, address, expr string) (int, error) {
	t.Helper()
	c := unfollowed()
	defer c.CloseIdleConnections() // Prometheus takes 512 connections and no more
	a, err := ask(t.Context(), c, http.MethodGet, "http://"+address+"/api/v1/query?query="+url.QueryEscape(expr), nil)
	if err != nil {
		return 0, err
	}
	var answer struct {
		Status string
		Error  string
		Data   struct{ Result []struct{ Value [2]any } }
	}
	if err := json.Unmarshal([]byte(a.body), &answer); err != nil {
		return 0, err
	}
	if answer.Status != "success" {
		return 0, errors.New(answer.Error)
	}
	found := 0
	for _, series := range answer.Data.Result {
		if series.Value[1] != "NaN" { // nothing divided by nothing shows nothing
			found++
		}
	}
	return found, nil
}

// dashboardQueries returns every query of the shipped dashboard by its panel, as
// Grafana would fill in its variables for a short range.
func dashboardQueries(t *testing.T) map[string]string {
	t.Helper()
	text, err := os.ReadFile("../../../../deploy/grafana/dashboards/keyhole.json")
	if err != nil {
		t.Fatal(err)
	}
	var board struct {
		Panels []struct {
			Title   string
			Targets []struct{ Expr, RefID string }
		}
	}
	if err := json.Unmarshal(text, &board); err != nil {
		t.Fatal(err)
	}
	queries := map[string]string{}
	for _, panel := range board.Panels {
		for _, target := range panel.Targets {
			queries[panel.Title+"/"+target.RefID] = strings.NewReplacer(
				"$__rate_interval", "1m", "$__range", "1m", "$instance", ".*").Replace(target.Expr)
		}
	}
	if len(queries) == 0 {
		t.Fatal("the dashboard asks for nothing")
	}
	return queries
}
