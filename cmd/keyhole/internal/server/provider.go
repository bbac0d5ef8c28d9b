package server

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"keyhole/cmd/keyhole/internal/command"
	"keyhole/config"
	"keyhole/gateway"
	"keyhole/gateway/admission"
	"keyhole/gateway/identity"
)

// operatorTokens returns the provider whose tokens admit operators, nil for none.
func operatorTokens(cfg *config.Config) (admission.TokenVerifier, error) {
	if cfg.Operator.OIDC.Issuer == "" {
		return nil, nil //nolint:nilnil // As admission.Options has it.
	}
	provider, err := IdentityProvider(&cfg.Operator.OIDC)
	if err != nil {
		// Returning provider here would make an interface that contains a nil pointer. It
		// would not equal nil, and the first token would be verified by it.
		return nil, err
	}
	return provider, nil
}

// IdentityProvider returns the OpenID Connect provider of the configuration. It sends no
// request: keys are fetched when the first token arrives.
func IdentityProvider(o *config.OIDC) (*identity.Provider, error) {
	roots, err := rootCAs(o.CAFile)
	if err != nil {
		const hint = "correct operator.oidc.ca_file in the configuration"
		return nil, &command.Error{Err: fmt.Errorf("operator.oidc: %w", err), Hint: hint, Code: command.ExitUsage}
	}
	grants := make([]identity.Grant, len(o.Grants))
	for i, g := range o.Grants {
		claim, err := config.ClaimPath(g.Claim)
		if err != nil {
			return nil, fmt.Errorf("operator.oidc.grants[%d].claim: %w", i, err)
		}
		grants[i] = identity.Grant{
			Name: g.Name, DisplayName: g.DisplayName, Claim: claim, Value: g.Value,
			Can: command.Convert[gateway.Action](g.Can), Objects: command.Convert[gateway.Pattern](g.Objects),
			MaxExpiry: g.MaxExpiry,
		}
	}
	return identity.New(identity.Options{
		Issuer: o.Issuer, Audience: o.Audience, AuthorizedParties: o.AuthorizedParties,
		NameClaim: o.NameClaim, Grants: grants, RootCAs: roots, Now: time.Now,
	}), nil
}

// warnOfProvider logs what is wrong with the identity provider when the service starts,
// before the first token is refused. The start does not wait for it, because operator keys
// need no provider.
func warnOfProvider(ctx context.Context, cfg *config.Config, log *slog.Logger) {
	if cfg.Operator.OIDC.Issuer == "" {
		return
	}
	provider, err := IdentityProvider(&cfg.Operator.OIDC)
	if err == nil {
		_, _, err = provider.Inspect(ctx)
	}
	if err != nil && ctx.Err() == nil {
		log.Warn("identity provider check failed; tokens are refused until it succeeds", "error", err)
	}
}
