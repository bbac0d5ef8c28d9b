package server

import (
	"log/slog"
	"strings"
	"testing"

	"keyhole/config"
	"keyhole/gateway/identity/issuertest"
)

// A provider that is another than the configured one is in the log from the start on.
func TestWarnOfProvider(t *testing.T) {
	t.Parallel()
	i := issuertest.Start(t)
	i.AddRSA(t, "k")
	cfg := config.Default()
	cfg.Operator.OIDC.Issuer = i.URL
	var log strings.Builder
	logger := slog.New(slog.NewTextHandler(&log, nil))
	warnOfProvider(t.Context(), cfg, logger)
	if log.Len() > 0 {
		t.Errorf("of the right one it is logged: %s", &log)
	}
	i.Name.Store(new("https://other.example"))
	warnOfProvider(t.Context(), cfg, logger)
	if text := log.String(); !strings.Contains(text, i.URL) || !strings.Contains(text, "https://other.example") {
		t.Errorf("it is logged: %s", text)
	}
}
