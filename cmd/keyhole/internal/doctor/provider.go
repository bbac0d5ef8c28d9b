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

// examineProvider asks the identity provider for its keys as the service will, if one
// is configured. The error is one of the configuration, which serve would end with too.
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
		note(levelFailure, "no token is admitted: "+err.Error(),
			"set operator.oidc.issuer to what the provider calls itself, if it is the right one")
	case err != nil:
		note(levelFailure, "no token can be checked: "+err.Error(),
			"is operator.oidc.issuer where the provider is, can this machine reach it, "+
				"and does operator.oidc.ca_file hold its authority?")
	default:
		message := fmt.Sprintf("%s answers, with %s", o.Issuer, explain.Plural(number, "key"))
		if issuer != o.Issuer {
			message += "; it calls itself " + issuer
		}
		note(levelOK, message, "")
	}
	return nil
}
