package deploy_test

import (
	"bytes"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// rule is one alert or recording of Prometheus.
type rule struct {
	Alert       string            `yaml:"alert"`
	Record      string            `yaml:"record"`
	Expr        string            `yaml:"expr"`
	For         string            `yaml:"for"`
	Labels      map[string]string `yaml:"labels"`
	Annotations map[string]string `yaml:"annotations"`
}

// rules returns every rule that deploy/prometheus ships.
func rules(t *testing.T) []rule {
	t.Helper()
	var all []rule
	for _, path := range glob(t, "prometheus/rules/*.yml") {
		var file struct {
			Groups []struct {
				Name  string `yaml:"name"`
				Rules []rule `yaml:"rules"`
			} `yaml:"groups"`
		}
		readYAML(t, path, &file, true)
		for _, g := range file.Groups {
			all = append(all, g.Rules...)
		}
	}
	return all
}

// alerts returns the rules that are alerts.
func alerts(t *testing.T) []rule {
	t.Helper()
	return slices.DeleteFunc(rules(t), func(r rule) bool { return r.Alert == "" })
}

func TestPrometheusAcceptsConfigurationAndRules(t *testing.T) {
	run(t, "promtool", "check", "config", "prometheus/prometheus.yml")
}

func TestAlertsFireAndKeepQuiet(t *testing.T) {
	t.Parallel()
	run(t, "promtool", append([]string{"test", "rules"}, glob(t, "prometheus/tests/*.yml")...)...)
}

// TestEveryAlertHasACaseOfEachKind checks that promtool's cases include every alert, firing
// and not firing.
func TestEveryAlertHasACaseOfEachKind(t *testing.T) {
	type seen struct{ firing, quiet bool }
	cases := map[string]seen{}
	for _, path := range glob(t, "prometheus/tests/*.yml") {
		var file struct {
			Tests []struct {
				Alerts []struct {
					Name     string           `yaml:"alertname"`
					Expected []map[string]any `yaml:"exp_alerts"`
				} `yaml:"alert_rule_test"`
			} `yaml:"tests"`
		}
		readYAML(t, path, &file, false)
		for _, test := range file.Tests {
			for _, a := range test.Alerts {
				s := cases[a.Name]
				s.firing = s.firing || len(a.Expected) > 0
				s.quiet = s.quiet || len(a.Expected) == 0
				cases[a.Name] = s
			}
		}
	}
	for _, a := range alerts(t) {
		if s := cases[a.Alert]; !s.firing || !s.quiet {
			t.Errorf("%s: tested firing %t, tested quiet %t; prometheus/tests needs both", a.Alert, s.firing, s.quiet)
		}
		delete(cases, a.Alert)
	}
	for name := range cases {
		t.Errorf("prometheus/tests has cases for %s, which is no alert", name)
	}
}

func TestEveryAlertHasItsSectionInTheRunbook(t *testing.T) {
	sections := map[string]string{}
	for part := range strings.SplitSeq(string(read(t, "docs/run/runbook.md")), "\n## ") {
		name, text, _ := strings.Cut(part, "\n")
		sections[name] = text
	}
	for name := range sections {
		if strings.HasPrefix(name, "# ") {
			delete(sections, name)
		}
	}
	for _, a := range alerts(t) {
		text, ok := sections[a.Alert]
		delete(sections, a.Alert)
		for _, part := range []string{"**Meaning.**", "**Look at.**", "**Do.**"} {
			if !ok || !strings.Contains(text, part) {
				t.Errorf("docs/run/runbook.md says nothing under %s, %s", a.Alert, part)
			}
		}
		// A link: Alertmanager, Grafana and pagers show the annotation of that name as one.
		want := "https://docs.example.com/keyhole/run/runbook.md#" + strings.ToLower(a.Alert)
		if a.Annotations["runbook_url"] != want {
			t.Errorf("%s: runbook_url is %q, want %q", a.Alert, a.Annotations["runbook_url"], want)
		}
		if a.Annotations["summary"] == "" || a.Annotations["description"] == "" {
			t.Errorf("%s has no summary or no description", a.Alert)
		}
		if s := a.Labels["severity"]; s != "critical" && s != "warning" {
			t.Errorf("%s: severity is %q", a.Alert, s)
		}
	}
	for name := range sections {
		t.Errorf("docs/run/runbook.md has a section %s, which is no alert", name)
	}
}

// metricName matches the metrics of the service; recorded ones have a colon.
var metricName = regexp.MustCompile(`\bkeyhole_[a-z_]+\b`)

// TestRulesAskForMetricsThatTheDashboardShows finds an alert that can never fire because
// the name of a metric is wrong. promtool's cases define their own series, but another test
// runs every query of the dashboard against a running service.
func TestRulesAskForMetricsThatTheDashboardShows(t *testing.T) {
	shown := map[string]bool{}
	for _, q := range dashboardQueries(t) {
		for _, name := range metricName.FindAllString(q.Expr, -1) {
			shown[family(name)] = true
		}
	}
	recorded := map[string]bool{}
	for _, r := range rules(t) {
		recorded[r.Record] = true
	}
	usesRecorded := regexp.MustCompile(`\bkeyhole:[a-z0-9_:]+`)
	for _, r := range rules(t) {
		for _, name := range metricName.FindAllString(r.Expr, -1) {
			if !shown[family(name)] {
				t.Errorf("%s%s asks for %s, which no panel shows", r.Alert, r.Record, name)
			}
		}
		for _, name := range usesRecorded.FindAllString(r.Expr, -1) {
			if !recorded[name] {
				t.Errorf("%s%s asks for %s, which no rule records", r.Alert, r.Record, name)
			}
		}
	}
}

// family is the name of the histogram that a series belongs to.
func family(name string) string {
	for _, suffix := range []string{"_bucket", "_count", "_sum"} {
		name = strings.TrimSuffix(name, suffix)
	}
	return name
}

func TestPrometheusScrapesTheJobThatRulesAskFor(t *testing.T) {
	var config struct {
		ScrapeConfigs []struct {
			JobName string `yaml:"job_name"`
		} `yaml:"scrape_configs"`
	}
	readYAML(t, "prometheus/prometheus.yml", &config, false)
	if config.ScrapeConfigs[0].JobName != "keyhole" {
		t.Errorf("the first job is %q, want keyhole", config.ScrapeConfigs[0].JobName)
	}
	job := regexp.MustCompile(`job="([^"]*)"`)
	for _, r := range rules(t) {
		for _, match := range job.FindAllStringSubmatch(r.Expr, -1) {
			if match[1] != "keyhole" {
				t.Errorf("%s%s asks for the job %q", r.Alert, r.Record, match[1])
			}
		}
	}
	if bytes.Contains(read(t, "prometheus/rules/alerts.yml"), []byte("vector(0)")) {
		t.Error("an alert stands on a constant")
	}
}
