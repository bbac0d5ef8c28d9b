package doctor

import (
	"context"
	"errors"
	"fmt"

	"keyhole/cmd/keyhole/internal/server"
	"keyhole/config"
	"keyhole/gateway"
	"keyhole/gateway/explain"
)

// checkIssuer is the check of the identity provider.
const checkIssuer = "issuer"

// providerSubject names the identity provider in findings.
const providerSubject = "oidc"

// examineProvider requests the keys of the identity provider as the service does, if one
// is configured. It returns an error only for a mistake in the configuration. A provider
// that names itself differently from the configured issuer would make the service refuse
// every token, so the names are compared here too.
func (x *examination) examineProvider(ctx context.Context, cfg *config.Config) error {
	o := &cfg.Operator.OIDC
	if o.Issuer == "" {
		return nil
	}
	provider, err := server.IdentityProvider(o)
	if err != nil {
		return err
	}
	note := func(level, message, do string) {
		x.note(finding{Subject: providerSubject, Check: checkIssuer, Level: level, Message: message, Do: do})
	}
	issuer, number, err := provider.Inspect(ctx)
	switch {
	case errors.Is(err, gateway.ErrIssuer):
		note(levelFailure, "tokens are refused: "+err.Error(),
			"if this is the right provider, set operator.oidc.issuer to its own name")
	case err != nil:
		note(levelFailure, "tokens cannot be checked: "+err.Error(),
			"check that operator.oidc.issuer is its URL, that this machine can reach it, and that "+
				"operator.oidc.ca_file contains its authority")
	default:
		message := fmt.Sprintf("%s responds, with %s", o.Issuer, explain.Plural(number, "key"))
		if issuer != o.Issuer {
			message += "; its own name is " + issuer
		}
		note(levelOK, message, "")
	}
	return nil
}
