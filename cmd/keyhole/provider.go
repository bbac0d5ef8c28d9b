package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"keyhole/config"
	"keyhole/gateway"
	"keyhole/gateway/httpapi"
	"keyhole/gateway/identity"
)

// operatorTokens returns whose tokens admit operators, nil for nobody's.
func operatorTokens(cfg *config.Config) (httpapi.Tokens, error) {
	if cfg.Operator.OIDC.Issuer == "" {
		return nil, nil //nolint:nilnil // As httpapi.Options has it.
	}
	provider, err := identityProvider(&cfg.Operator.OIDC)
	if err != nil {
		return nil, err // without an interface around a nil pointer
	}
	return provider, nil
}

// identityProvider returns the OpenID Connect provider of the configuration.
func identityProvider(o *config.OIDC) (*identity.Provider, error) {
	roots, err := rootCAs(o.CAFile)
	if err != nil {
		const hint = "correct operator.oidc.ca_file in the configuration"
		return nil, &hinted{err: fmt.Errorf("operator.oidc: %w", err), hint: hint, code: exitUsage}
	}
	grants := make([]identity.Grant, len(o.Grants))
	for i, g := range o.Grants {
		claim, err := config.ClaimPath(g.Claim)
		if err != nil {
			return nil, fmt.Errorf("operator.oidc.grants[%d].claim: %w", i, err)
		}
		grants[i] = identity.Grant{
			Name: g.Name, Claim: claim, Value: g.Value,
			Can: convert[gateway.Action](g.Can), Objects: convert[gateway.Pattern](g.Objects), MaxExpiry: g.MaxExpiry,
		}
	}
	return identity.New(identity.Options{
		Issuer: o.Issuer, Audience: o.Audience, AuthorizedParties: o.AuthorizedParties,
		NameClaim: o.NameClaim, Grants: grants, RootCAs: roots, Now: time.Now,
	}), nil
}

// warnOfProvider logs what is wrong with the identity provider when the service starts:
// otherwise the first token would tell. Nothing waits for it, because operator keys are
// admitted without a provider.
func warnOfProvider(ctx context.Context, cfg *config.Config, log *slog.Logger) {
	if cfg.Operator.OIDC.Issuer == "" {
		return
	}
	provider, err := identityProvider(&cfg.Operator.OIDC)
	if err == nil {
		_, _, err = provider.Inspect(ctx)
	}
	if err != nil && ctx.Err() == nil {
		log.Warn("identity provider check failed; no token is admitted until it succeeds", "error", err)
	}
}

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
	provider, err := identityProvider(o)
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
		message := fmt.Sprintf("%s answers, with %s", o.Issuer, plural(number, "key"))
		if issuer != o.Issuer {
			message += "; it calls itself " + issuer
		}
		note(levelOK, message, "")
	}
	return nil
}
