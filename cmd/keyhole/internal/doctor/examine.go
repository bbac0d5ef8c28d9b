package doctor

import (
	"context"

	"keyhole/config"
	"keyhole/gateway/console"
)

// Examine checks the installation of a configuration like keyhole doctor, for the console of
// a running service. It opens connections of its own, so that clicks never wait for it. Its
// error is a mistake in the configuration; the findings are those until then.
func Examine(ctx context.Context, cfg *config.Config) ([]console.Finding, error) {
	x := &examination{}
	err := x.examine(ctx, cfg)
	found := make([]console.Finding, len(x.findings))
	for i, f := range x.findings {
		found[i] = console.Finding(f)
	}
	return found, err
}
