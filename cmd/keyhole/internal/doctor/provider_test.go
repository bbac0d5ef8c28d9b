package doctor

import (
	"strings"
	"testing"

	"keyhole/config"
	"keyhole/gateway/identity/issuertest"
)

// Doctor asks the identity provider as the service would, and says what is wrong with
// the configuration of it.
func TestDoctorOfTheProvider(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		change  func(*issuertest.Issuer, *config.OIDC)
		level   string
		says    string
		whatNow string
	}{
		"right": {func(*issuertest.Issuer, *config.OIDC) {}, levelOK, "responds, with 1 key", ""},
		"no slash": {
			func(i *issuertest.Issuer, _ *config.OIDC) { i.Name.Store(new(i.URL + "/")) },
			levelOK, "its own name is http", "",
		},
		"another": {
			func(i *issuertest.Issuer, _ *config.OIDC) { i.Name.Store(new(i.URL + "/realms/main")) },
			levelFailure, `/realms/main"`, "set operator.oidc.issuer",
		},
		"away": {func(i *issuertest.Issuer, _ *config.OIDC) { i.Away.Store(true) }, levelFailure, "503", "reach"},
		"no keys": {
			func(i *issuertest.Issuer, _ *config.OIDC) { i.Broken.Store(new(`{"keys":[]}`)) },
			levelFailure, "no key", "reach",
		},
		"nowhere": {
			func(_ *issuertest.Issuer, o *config.OIDC) { o.Issuer = "http://127.0.0.1:1" },
			levelFailure, "refused", "reach",
		},
		"not used": {func(_ *issuertest.Issuer, o *config.OIDC) { o.Issuer = "" }, "", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			i := issuertest.Start(t)
			i.AddRSA(t, "k")
			cfg := config.Default()
			cfg.Operator.OIDC.Issuer, cfg.Operator.OIDC.Audience = i.URL, issuertest.Audience
			tt.change(i, &cfg.Operator.OIDC)
			x := &examination{}
			if err := x.examineProvider(t.Context(), cfg); err != nil {
				t.Fatal(err)
			}
			if tt.level == "" {
				if len(x.findings) > 0 {
					t.Errorf("found %+v", x.findings)
				}
				return
			}
			if len(x.findings) != 1 {
				t.Fatalf("found %+v", x.findings)
			}
			f := x.findings[0]
			if f.Level != tt.level || !strings.Contains(f.Message, tt.says) ||
				!strings.Contains(f.Do, tt.whatNow) || (f.Do == "") != (tt.whatNow == "") {
				t.Errorf("found %+v, want %s with %q and %q", f, tt.level, tt.says, tt.whatNow)
			}
		})
	}
}

// A mistake in the configuration of the provider ends the command, as it ends serve.
func TestDoctorOfAMisconfiguredProvider(t *testing.T) {
	t.Parallel()
	cfg := config.Default()
	cfg.Operator.OIDC.Issuer, cfg.Operator.OIDC.CAFile = "https://id.test", "/does/not/exist"
	x := &examination{}
	if err := x.examineProvider(t.Context(), cfg); err == nil || len(x.findings) > 0 ||
		!strings.Contains(err.Error(), "operator.oidc: read ca_file") {
		t.Errorf("got %v and %+v", err, x.findings)
	}
}
