package httpapi

import (
	"encoding/json"
	"strings"
	"testing"

	"keyhole/gateway/api"
	"keyhole/gateway/storetest"
)

// TestLanguageOfALink issues, shows and changes a link in a language.
func TestLanguageOfALink(t *testing.T) {
	t.Parallel()
	b := newBenchOver(t, storetest.Open(t), nil)
	link := func(a answer, status int) (link api.Link) {
		t.Helper()
		if err := json.Unmarshal([]byte(a.body), &link); err != nil || a.status != status {
			t.Fatalf("got %d, %v: %s", a.status, err, a.body)
		}
		return link
	}
	issued := link(b.operator(opsKey, "POST", "/api/v1/links", bodyWith(`"language":"pl"`)), 201)
	path := "/api/v1/links/" + issued.ID
	if shown := link(b.operator(opsKey, "GET", path, ""), 200); issued.Language != "pl" || shown.Language != "pl" {
		t.Errorf("issued in %q, shown in %q", issued.Language, shown.Language)
	}
	for _, change := range [][2]string{
		{`{"note":"n"}`, "pl"}, {`{"language":"ja"}`, "ja"}, {`{"note":"m"}`, "ja"}, {`{"language":""}`, ""},
	} {
		changed := link(b.operator(opsKey, "PATCH", path, change[0], "Content-Type", "application/json"), 200)
		if changed.Language != change[1] {
			t.Errorf("%s: changed to %q, want %q", change[0], changed.Language, change[1])
		}
	}
	none := b.operator(opsKey, "POST", "/api/v1/links", bodyWith(`"note":"n"`))
	if link(none, 201); !strings.Contains(none.body, `"language":""`) {
		t.Errorf("a link without a language: %s", none.body)
	}
	for _, tag := range []string{"PL", "pl-PL", "xx"} {
		for _, a := range []answer{
			b.operator(opsKey, "POST", "/api/v1/links", bodyWith(`"language":"`+tag+`"`)),
			b.operator(opsKey, "PATCH", path, `{"language":"`+tag+`"}`, "Content-Type", "application/json"),
		} {
			p := a.problem(t)
			if a.status != 422 || len(p.Errors) != 1 || p.Errors[0].Field != "language" || p.Errors[0].Code != "invalid" ||
				!strings.Contains(p.Errors[0].Message, "en, de, fr, es, pt, it, nl, pl, ja, zh, ar") {
				t.Errorf("%s: got %d %+v", tag, a.status, p)
			}
		}
	}
}
