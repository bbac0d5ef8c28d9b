package server

import (
	"context"
	"errors"
	"fmt"
	"reflect"

	"keyhole/cmd/keyhole/internal/listen"
	"keyhole/config"
)

// Reload applies a changed configuration to the running server: operator keys,
// tokens, limits of sessions, certificates, the storages' credentials, the recipients'
// pages and the policy. Requests go on; each is decided by what is in force when it arrives. Other
// changes need a restart and are left out. After an error, the part that is named keeps
// its previous state.
func (s *Server) Reload(ctx context.Context, cfg *config.Config) error {
	defer s.publish()
	keys, err := operatorKeys(cfg)
	if err != nil {
		return err
	}
	// Keys come first: if a key was withdrawn, no failure below must delay that.
	s.operators.SetKeys(keys)
	s.current.Operator.Keys = cfg.Operator.Keys
	s.reloadSessions(cfg)
	failed := errors.Join(s.reloadTokens(cfg), s.reloadCertificates(cfg), s.reloadCredentials(ctx, cfg),
		s.reloadPages(cfg))
	// The policy comes last, because it needs Redis.
	return errors.Join(failed, s.reloadPolicy(ctx, cfg))
}

// reloadTokens applies a changed identity provider. After an error no token is
// admitted: those of the previous provider may have been withdrawn.
func (s *Server) reloadTokens(cfg *config.Config) error {
	if reflect.DeepEqual(s.current.Operator.OIDC, cfg.Operator.OIDC) {
		return nil
	}
	tokens, err := operatorTokens(cfg)
	s.operators.SetTokens(tokens) // nil after an error
	s.sessions.SetProvider(s.signInFlow(cfg, tokens))
	s.current.Operator.OIDC = cfg.Operator.OIDC
	if err != nil {
		s.current.Operator.OIDC = config.OIDC{}
	}
	return err
}

// reloadCertificates reads the certificates of the listeners again. Turning TLS on
// or off needs a restart.
func (s *Server) reloadCertificates(cfg *config.Config) error {
	var failed error
	for _, t := range []struct {
		on            *listen.Listener
		current, next config.TLS
		apply         func(config.TLS)
	}{
		{s.public, s.current.Public.TLS.Files(), cfg.Public.TLS.Files(), func(files config.TLS) {
			s.current.Public.TLS.CertFile, s.current.Public.TLS.KeyFile = files.CertFile, files.KeyFile
		}},
		{s.operator, s.current.Operator.TLS, cfg.Operator.TLS, func(files config.TLS) { s.current.Operator.TLS = files }},
	} {
		if t.current.CertFile == "" || t.next.CertFile == "" {
			continue
		}
		if err := t.on.LoadCertificate(certificateOf(t.next)); err != nil {
			failed = errors.Join(failed, err)
			continue
		}
		t.apply(t.next)
	}
	return failed
}

// reloadCredentials applies changed credentials of storages. A storage in which
// anything else has changed is left out, because the new credentials may belong to
// another endpoint.
func (s *Server) reloadCredentials(ctx context.Context, cfg *config.Config) error {
	var failed error
	for i, storage := range s.storages {
		current, next := &s.current.Storage[i], storageNamed(cfg, storage.Name)
		if next == nil || !onlyCredentialsDiffer(current, next) || reflect.DeepEqual(current, next) {
			continue
		}
		if err := storage.setCredentials(ctx, next); err != nil {
			failed = errors.Join(failed, fmt.Errorf("storage %s keeps its previous credentials: %w", storage.Name, err))
			continue
		}
		*current = *next
	}
	return failed
}

// reloadPages applies changed pages of recipients. It reads the logo also if no key has
// changed, because the file may have another content.
func (s *Server) reloadPages(cfg *config.Config) error {
	options, err := PageOptions(cfg)
	if err == nil {
		err = s.api.SetPages(options)
	}
	if err == nil {
		err = s.previews.set(options)
	}
	if err != nil {
		return fmt.Errorf("the recipients' pages keep their previous appearance: %w", err)
	}
	s.current.Pages = cfg.Pages
	return nil
}

// reloadPolicy applies a changed policy. Redis is told first how long links may live: a link
// must not live longer than the indexes that a revocation searches.
func (s *Server) reloadPolicy(ctx context.Context, cfg *config.Config) error {
	if reflect.DeepEqual(s.current.Policy, cfg.Policy) {
		return nil
	}
	if err := s.store.SetRetention(ctx, retentionOf(cfg)); err != nil {
		return fmt.Errorf("the previous policy stays in force: %w", err)
	}
	s.domain.SetPolicy(policyOf(cfg))
	s.current.Policy = cfg.Policy
	return nil
}

// storageNamed returns the storage of that name, or nil. Storages are compared by name,
// because their order in the file has no meaning.
func storageNamed(cfg *config.Config, name string) *config.Storage {
	for i := range cfg.Storage {
		if cfg.Storage[i].Name == name {
			return &cfg.Storage[i]
		}
	}
	return nil
}

// onlyCredentialsDiffer tells whether two configurations of a storage are equal
// except for the credentials.
func onlyCredentialsDiffer(a, b *config.Storage) bool {
	c := *b
	c.AccessKeyID, c.SecretAccessKey, c.SecretAccessKeyFile = a.AccessKeyID, a.SecretAccessKey, a.SecretAccessKeyFile
	return reflect.DeepEqual(*a, c)
}
