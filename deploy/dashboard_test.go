package deploy_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// dashboard is the part of Grafana's JSON model that the tests check.
type dashboard struct {
	UID        string  `json:"uid"`
	Title      string  `json:"title"`
	Panels     []panel `json:"panels"`
	Templating struct {
		List []struct {
			Name  string `json:"name"`
			Type  string `json:"type"`
			Query any    `json:"query"` // a text, or the query of a variable with its name
		} `json:"list"`
	} `json:"templating"`
}

// panel is one panel, or the heading of a row of panels.
type panel struct {
	ID         int           `json:"id"`
	Type       string        `json:"type"`
	Title      string        `json:"title"`
	GridPos    grid          `json:"gridPos"`
	Datasource *datasource   `json:"datasource"`
	Targets    []panelTarget `json:"targets"`
}

// grid is the position and size of a panel; Grafana's grid has 24 columns.
type grid struct{ H, W, X, Y int }

// datasource names the data source of a panel.
type datasource struct{ Type, UID string }

// panelTarget is one query of a panel.
type panelTarget struct {
	RefID        string      `json:"refId"`
	Expr         string      `json:"expr"`
	LegendFormat string      `json:"legendFormat"`
	Datasource   *datasource `json:"datasource"`
}

// query is one query of the dashboard as Grafana would send it to Prometheus.
type query struct {
	Panel string // the panel's title
	RefID string // of the query in the panel
	Expr  string // PromQL, Grafana's variables filled in
}

// readDashboard decodes the dashboard: one JSON value and nothing after it.
func readDashboard(t *testing.T) dashboard {
	t.Helper()
	f, err := os.Open("grafana/dashboards/keyhole.json")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	var board dashboard
	decoder := json.NewDecoder(f)
	if err := decoder.Decode(&board); err != nil {
		t.Fatal(err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		t.Fatalf("something follows the dashboard: %v", err)
	}
	return board
}

// dashboardQueries returns every query of every panel, ready for Prometheus.
func dashboardQueries(t *testing.T) []query {
	t.Helper()
	// As Grafana fills them in at a scrape interval of 15 s and a range of 1 h.
	variables := strings.NewReplacer("$__rate_interval", "1m", "$__range", "1h", "$instance", ".*")
	var queries []query
	for _, p := range readDashboard(t).Panels {
		for _, target := range p.Targets {
			queries = append(queries, query{Panel: p.Title, RefID: target.RefID, Expr: variables.Replace(target.Expr)})
		}
	}
	if len(queries) == 0 {
		t.Fatal("the dashboard asks for nothing")
	}
	return queries
}

func TestDashboardPanelsAreWhole(t *testing.T) {
	board := readDashboard(t)
	if board.UID != "keyhole" || board.Title != "Keyhole" {
		t.Errorf("uid and title are %q and %q: links to the dashboard would break", board.UID, board.Title)
	}
	list := board.Templating.List
	if len(list) != 2 || list[0].Name != "datasource" || list[0].Type != "datasource" || list[0].Query != "prometheus" {
		t.Errorf("the data source can not be chosen: %+v", list)
	}
	// up also lists a gateway that is down, which has no metrics of its own.
	source, _ := list[1].Query.(map[string]any)
	if list[1].Name != "instance" || list[1].Type != "query" ||
		source["query"] != `label_values(up{job="keyhole"}, instance)` {
		t.Errorf("the gateway can not be chosen: %+v", list)
	}
	ids, titles := map[int]bool{}, map[string]bool{}
	for _, p := range board.Panels {
		if p.ID <= 0 || ids[p.ID] {
			t.Errorf("panel %q: the id %d is used twice, or none", p.Title, p.ID)
		}
		ids[p.ID] = true
		if p.Type == "row" {
			continue
		}
		if p.Title == "" || titles[p.Title] {
			t.Errorf("panel %d: the title %q is used twice, or none", p.ID, p.Title)
		}
		titles[p.Title] = true
		checkSources(t, p)
	}
}

// checkSources checks that a panel and each of its queries use the data source that the
// reader of the dashboard chose.
func checkSources(t *testing.T, p panel) {
	t.Helper()
	chosen := datasource{Type: "prometheus", UID: "${datasource}"}
	if p.Datasource == nil || *p.Datasource != chosen {
		t.Errorf("panel %q asks %v", p.Title, p.Datasource)
	}
	if len(p.Targets) == 0 {
		t.Errorf("panel %q asks for nothing", p.Title)
	}
	refs := map[string]bool{}
	for _, target := range p.Targets {
		if target.RefID == "" || refs[target.RefID] {
			t.Errorf("panel %q: the refId %q is used twice, or none", p.Title, target.RefID)
		}
		refs[target.RefID] = true
		if target.Datasource == nil || *target.Datasource != chosen {
			t.Errorf("panel %q asks %v", p.Title, target.Datasource)
		}
		if target.LegendFormat == "" && p.Type == "timeseries" {
			t.Errorf("panel %q, %s: no legend", p.Title, target.RefID)
		}
		if n := len(metricName.FindAllString(target.Expr, -1)); strings.Count(target.Expr, `instance=~"$instance"`) < n {
			t.Errorf("panel %q, %s: not only the chosen gateways", p.Title, target.RefID)
		}
		if strings.Contains(target.Expr, "vector(") {
			t.Errorf("panel %q shows a constant where a metric is missing", p.Title)
		}
	}
}

// TestDashboardShowsEveryMetric compares the dashboard with the list of metrics in the manual,
// which another test compares with the service.
func TestDashboardShowsEveryMetric(t *testing.T) {
	shown := map[string]bool{}
	for _, q := range dashboardQueries(t) {
		for _, name := range metricName.FindAllString(q.Expr, -1) {
			shown[family(name)] = true
		}
	}
	rows := regexp.MustCompile("(?m)^\\| `(keyhole_\\w+)` \\| (?:counter|gauge|histogram) \\|")
	documented := map[string]bool{}
	for _, row := range rows.FindAllStringSubmatch(string(read(t, "docs/run/metrics.md")), -1) {
		documented[row[1]] = true
		if !shown[row[1]] {
			t.Errorf("no panel shows %s", row[1])
		}
	}
	for name := range shown {
		if !documented[name] {
			t.Errorf("a panel asks for %s, which is not in docs/run/metrics.md", name)
		}
	}
}

func TestDashboardPanelsDoNotOverlap(t *testing.T) {
	const width = 24
	taken := map[[2]int]string{}
	for _, p := range readDashboard(t).Panels {
		g := p.GridPos
		if g.X < 0 || g.Y < 0 || g.W <= 0 || g.H <= 0 || g.X+g.W > width {
			t.Errorf("panel %q is off the grid: %+v", p.Title, g)
			continue
		}
		for x := g.X; x < g.X+g.W; x++ {
			for y := g.Y; y < g.Y+g.H; y++ {
				if other, ok := taken[[2]int{x, y}]; ok {
					t.Fatalf("panels %q and %q overlap at %d,%d", p.Title, other, x, y)
				}
				taken[[2]int{x, y}] = p.Title
			}
		}
	}
}

// TestDashboardQueriesParse lets promtool check every query as a recording rule, because
// promtool cannot check a single expression.
func TestDashboardQueriesParse(t *testing.T) {
	type record struct {
		Record string `yaml:"record"`
		Expr   string `yaml:"expr"`
	}
	var records []record
	for i, q := range dashboardQueries(t) {
		if strings.Contains(q.Expr, "$") {
			t.Errorf("panel %q, %s: a variable was not filled in: %s", q.Panel, q.RefID, q.Expr)
		}
		records = append(records, record{fmt.Sprintf("dashboard:%d", i), q.Expr})
	}
	data, err := yaml.Marshal(map[string]any{"groups": []any{map[string]any{"name": "dashboard", "rules": records}}})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "rules.yml")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	run(t, "promtool", "check", "rules", path)
}

func TestGrafanaIsProvisionedWithTheDashboard(t *testing.T) {
	var sources struct {
		Datasources []struct {
			UID, Type, URL string
			IsDefault      bool `yaml:"isDefault"`
		}
	}
	readYAML(t, "grafana/provisioning/datasources/prometheus.yml", &sources, false)
	if s := sources.Datasources; len(s) != 1 || s[0].Type != "prometheus" || s[0].UID == "" || !s[0].IsDefault {
		t.Errorf("want one default data source of Prometheus, got %+v", s)
	}
	var providers struct {
		Providers []struct {
			Type    string
			Options struct{ Path string }
		}
	}
	readYAML(t, "grafana/provisioning/dashboards/keyhole.yml", &providers, false)
	c := readCompose(t)
	if path := providers.Providers[0].Options.Path; !c.mounts("grafana", "./grafana/dashboards", path) {
		t.Errorf("dashboards are looked for in %s, where compose.yaml mounts none", path)
	}
}
