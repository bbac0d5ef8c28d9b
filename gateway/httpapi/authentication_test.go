package httpapi

import (
	"crypto/sha256"
	"fmt"
	"strings"
	"testing"

	"keyhole/gateway/admission"
)

func TestAuthentication(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		headers []string // values of Authorization
		query   string
		status  int
	}{
		{"missing", nil, "", 401},
		{"empty", []string{""}, "", 401},
		{"scheme alone", []string{"Bearer"}, "", 401},
		{"scheme and space", []string{"Bearer "}, "", 401},
		{"no scheme", []string{opsKey}, "", 401},
		{"basic", []string{"Basic " + opsKey}, "", 401},
		{"wrong key", []string{"Bearer wrong"}, "", 401},
		{"a byte more", []string{"Bearer " + opsKey + "x"}, "", 401},
		{"a byte less", []string{"Bearer " + opsKey[1:]}, "", 401},
		{"two spaces", []string{"Bearer  " + opsKey}, "", 200},
		{"spaces alone", []string{"Bearer    "}, "", 401},
		{"a tab", []string{"Bearer\t" + opsKey}, "", 401},
		{"the key's hash", []string{"Bearer " + fmt.Sprintf("%x", sha256.Sum256([]byte(opsKey)))}, "", 401},
		{"doubled", []string{"Bearer " + opsKey, "Bearer " + opsKey}, "", 401},
		{"doubled in one line", []string{"Bearer " + opsKey + ", Bearer " + opsKey}, "", 401},
		{"wrong and right", []string{"Bearer wrong", "Bearer " + opsKey}, "", 401},
		{"in the query", nil, "?access_token=" + opsKey, 401},
		{"in the query as key", nil, "?key=" + opsKey, 401},
		{"long", []string{"Bearer " + strings.Repeat("k", 20<<10)}, "", 401},
		{"right", []string{"Bearer " + opsKey}, "", 200},
		{"scheme in lower case", []string{"bearer " + opsKey}, "", 200},
		{"right, and in the query too", []string{"Bearer " + opsKey}, "?access_token=" + opsKey, 400},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, nil)
			var headers []string
			for _, h := range tt.headers {
				headers = append(headers, "Authorization", h)
			}
			a := ask(b.api.Operator(), "GET", "/api/v1/links"+tt.query, "", headers...)
			if a.status != tt.status {
				t.Errorf("got %d, want %d", a.status, tt.status)
			}
			want := "" // RFC 6750 section 3.1: an error only if a credential came
			switch _, came := admission.Bearer(tt.headers); {
			case tt.status == 401 && came:
				want = `Bearer realm="keyhole", error="invalid_token", error_description="unknown operator key"`
			case tt.status == 401:
				want = `Bearer realm="keyhole"`
			}
			if got := a.header.Get("WWW-Authenticate"); got != want {
				t.Errorf("the challenge is %q, want %q", got, want)
			}
			if tt.status == 401 && a.problem(t).Code != "unauthorized" {
				t.Errorf("got %s", a.body)
			}
			if strings.Contains(a.body+b.log.String(), "canary") {
				t.Errorf("a key is in the answer or in the log: %s %s", a.body, b.log)
			}
			wantOperatorHeaders(t, tt.name, a)
		})
	}
}
