package main

import (
	"context"
	"crypto/x509"
	"fmt"
	"log/slog"
	"math"
	"os"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/prometheus/client_golang/prometheus"

	"keyhole/config"
	"keyhole/gateway"
	"keyhole/gateway/objects"
	"keyhole/signer"
)

// storageCheck is how often each storage is asked whether it answers, and what
// time it has.
const storageCheck = time.Minute

// storage is one storage, wired.
type storage struct {
	name        string
	buckets     []string
	timeout     time.Duration
	objects     *objects.Storage
	signer      *signer.Signer
	clock       *signer.Clock
	credentials *exchangeable
	roots       *x509.CertPool // of ca_file; nil: the system's
	logged      lastState      // the health that the log has
}

// openStorages makes the storages of the configuration. No storage is asked
// anything yet.
func openStorages(ctx context.Context, cfg *config.Config, metrics *gateway.Metrics, registry prometheus.Registerer) ([]*storage, error) {
	var opened []*storage
	for i := range cfg.Storage {
		s, err := openStorage(ctx, &cfg.Storage[i], metrics)
		if err != nil {
			return nil, storageError(cfg.Storage[i].Name, err)
		}
		s.register(registry, cfg.Storage[i].Timeout)
		opened = append(opened, s)
	}
	return opened, nil
}

// storageError names the storage that cannot be made of its configuration.
func storageError(name string, err error) error {
	return &hinted{err: fmt.Errorf("storage %s: %w", name, err), hint: "correct this storage in the configuration", code: exitUsage}
}

// openStorage makes one storage.
func openStorage(ctx context.Context, c *config.Storage, metrics *gateway.Metrics) (*storage, error) {
	roots, err := rootCAs(c.CAFile)
	if err != nil {
		return nil, err
	}
	s := &storage{name: c.Name, buckets: c.Buckets, timeout: c.Timeout, clock: signer.NewClock(time.Now), roots: roots}
	s.credentials = &exchangeable{}
	if err := s.setCredentials(ctx, c); err != nil {
		return nil, err
	}
	if s.signer, err = newSigner(ctx, c, s.credentials, s.clock); err != nil {
		return nil, err
	}
	s.objects = objects.New(objects.Options{
		Endpoint: c.Endpoint, Region: c.Region, PathStyle: c.PathStyle, Buckets: c.Buckets,
		RequesterPays: c.RequesterPays, Credentials: s.credentials, RootCAs: roots, Timeout: c.Timeout,
		Clock: s.clock,
		Observe: func(operation, result string, d time.Duration) {
			metrics.StorageRequest(c.Name, operation, result, d)
		},
	})
	return s, nil
}

// exchangeable is a storage's credentials, which a reload exchanges for others.
type exchangeable struct {
	atomic.Pointer[signer.Credentials]
}

// Retrieve implements aws.CredentialsProvider.
func (e *exchangeable) Retrieve(ctx context.Context) (aws.Credentials, error) {
	return e.Load().Retrieve(ctx)
}

// setCredentials signs with the credentials of a configuration from now on. With an
// error those of before go on.
func (s *storage) setCredentials(ctx context.Context, c *config.Storage) error {
	credentials, err := signer.NewCredentials(ctx, signer.CredentialOptions{
		AccessKeyID: c.AccessKeyID, Secret: secretOf(c), SecretFile: c.SecretAccessKeyFile, Region: c.Region, Clock: s.clock,
	})
	if err != nil {
		return err
	}
	s.credentials.Store(credentials)
	return nil
}

// newSigner makes what signs a storage's URLs, for the endpoint that recipients reach.
func newSigner(ctx context.Context, c *config.Storage, credentials aws.CredentialsProvider, clock *signer.Clock) (*signer.Signer, error) {
	return signer.New(ctx, signer.Options{
		Name: c.Name, Endpoint: c.RecipientEndpoint(), Region: c.Region, PathStyle: c.PathStyle,
		Buckets: c.Buckets, RequesterPays: c.RequesterPays, Credentials: credentials, Clock: clock,
	})
}

// secretOf returns how the secret is read.
func secretOf(c *config.Storage) func() (string, error) {
	if c.SecretAccessKeyFile == "" {
		return func() (string, error) { return c.SecretAccessKey.Reveal(), nil }
	}
	return func() (string, error) {
		text, err := os.ReadFile(c.SecretAccessKeyFile)
		return string(text), err
	}
}

// rootCAs reads the authorities of a file; none stands for the system's.
func rootCAs(path string) (*x509.CertPool, error) {
	if path == "" {
		return nil, nil //nolint:nilnil // nil is crypto/tls' own word for the system's pool
	}
	pem, err := os.ReadFile(path) //nolint:gosec // the path is the operator's own
	if err != nil {
		return nil, fmt.Errorf("read ca_file: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("ca_file %s holds no certificate", path)
	}
	return pool, nil
}

// watch asks the storage whether it answers, and what time it has, until ctx
// ends.
func (s *storage) watch(ctx context.Context, log *slog.Logger) {
	ticker := time.NewTicker(storageCheck)
	defer ticker.Stop()
	for {
		s.check(ctx, log)
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// check asks the storage once, and logs its health if that has changed: a refusal may be
// permanent and harmless, where the credentials are for objects only.
func (s *storage) check(ctx context.Context, log *slog.Logger) {
	err := s.objects.Check(ctx)
	if ctx.Err() != nil {
		return
	}
	health := s.objects.Health()
	switch before, changed := s.logged.change(string(health)); {
	case !changed:
	case err != nil:
		log.Warn("storage check failed", "storage", s.name, "health", health, "error", err)
	case before != "":
		log.Info("storage check passes again", "storage", s.name, "health", health)
	}
}

// register registers what is asked for at a scrape.
func (s *storage) register(registry prometheus.Registerer, timeout time.Duration) {
	labels := prometheus.Labels{"storage": s.name}
	gateway.RegisterGauge(registry, timeout, gateway.Gauge{
		Name: "storage_clock_skew_seconds", Labels: labels, Type: prometheus.GaugeValue,
		Help: "How far the storage's clock is ahead of this machine's; absent until the storage has answered.",
		Read: func(context.Context) (float64, error) {
			skew, known := s.clock.Skew()
			if !known {
				return 0, gateway.ErrUnavailable
			}
			return skew.Seconds(), nil
		},
	})
	gateway.RegisterGauge(registry, timeout, gateway.Gauge{
		Name: "storage_credentials_expiry_timestamp_seconds", Labels: labels, Type: prometheus.GaugeValue,
		Help: "When the storage's credentials expire, Unix time; +Inf where they do not.",
		Read: func(ctx context.Context) (float64, error) {
			credentials, err := s.credentials.Retrieve(ctx)
			if err != nil {
				return 0, err
			}
			if !credentials.CanExpire {
				return math.Inf(1), nil
			}
			return float64(credentials.Expires.Unix()), nil
		},
	})
}

// domainStorages returns the storages as the gateway knows them.
func domainStorages(storages []*storage) []*gateway.Storage {
	out := make([]*gateway.Storage, len(storages))
	for i, s := range storages {
		out[i] = &gateway.Storage{Name: s.name, Buckets: s.buckets, Objects: s.objects, Presigner: s.signer, Timeout: s.timeout, Skew: s.clock.Skew}
	}
	return out
}

// storageNames returns the names of the configured storages.
func storageNames(cfg *config.Config) []string {
	names := make([]string, len(cfg.Storage))
	for i := range cfg.Storage {
		names[i] = cfg.Storage[i].Name
	}
	return names
}
