package server

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

	"keyhole/cmd/keyhole/internal/command"
	"keyhole/config"
	"keyhole/gateway"
	"keyhole/gateway/objects"
	"keyhole/signer"
)

// storageCheck is how often each storage is checked and its clock is read. Clicks and issues
// read the clock too, so the check matters for a service without traffic.
const storageCheck = time.Minute

// Storage is one storage with its clients, signer, clock and credentials. The doctor opens
// storages by the same function, so that it examines what the service uses.
type Storage struct {
	Name        string
	Buckets     []string
	Timeout     time.Duration
	Objects     *objects.Storage
	Signer      *signer.Signer
	Clock       *signer.Clock
	Credentials *swappableCredentials
	Roots       *x509.CertPool // of ca_file; nil: the system's
	logged      lastState      // the health that was logged last
}

// openStorages makes the storages of the configuration. It sends no request, so a storage
// that does not respond does not keep the service from starting.
func openStorages(ctx context.Context, cfg *config.Config, metrics *gateway.Metrics,
	registry prometheus.Registerer,
) ([]*Storage, error) {
	var opened []*Storage
	for i := range cfg.Storage {
		s, err := OpenStorage(ctx, &cfg.Storage[i], metrics)
		if err != nil {
			return nil, StorageError(cfg.Storage[i].Name, err)
		}
		s.register(registry, cfg.Storage[i].Timeout)
		opened = append(opened, s)
	}
	return opened, nil
}

// StorageError returns the error of a storage whose configuration is wrong.
func StorageError(name string, err error) error {
	return &command.Error{
		Err: fmt.Errorf("storage %s: %w", name, err), Hint: "correct this storage in the configuration",
		Code: command.ExitUsage,
	}
}

// OpenStorage makes one storage. It sends no request.
func OpenStorage(ctx context.Context, c *config.Storage, metrics *gateway.Metrics) (*Storage, error) {
	roots, err := rootCAs(c.CAFile)
	if err != nil {
		return nil, err
	}
	s := &Storage{Name: c.Name, Buckets: c.Buckets, Timeout: c.Timeout, Clock: signer.NewClock(time.Now), Roots: roots}
	s.Credentials = &swappableCredentials{}
	if err := s.setCredentials(ctx, c); err != nil {
		return nil, err
	}
	if s.Signer, err = NewSigner(ctx, c, s.Credentials, s.Clock); err != nil {
		return nil, err
	}
	s.Objects = objects.New(objects.Options{
		Endpoint: c.Endpoint, Region: c.Region, PathStyle: c.PathStyle, Buckets: c.Buckets,
		RequesterPays: c.RequesterPays, Credentials: s.Credentials, RootCAs: roots, Timeout: c.Timeout,
		Clock: s.Clock,
		Observe: func(operation, result string, d time.Duration) {
			metrics.StorageRequest(c.Name, operation, result, d)
		},
	})
	return s, nil
}

// swappableCredentials are a storage's credentials, which a reload can replace.
type swappableCredentials struct {
	atomic.Pointer[signer.Credentials]
}

// Retrieve implements aws.CredentialsProvider.
func (e *swappableCredentials) Retrieve(ctx context.Context) (aws.Credentials, error) {
	return e.Load().Retrieve(ctx)
}

// setCredentials replaces the credentials by those of a configuration. After an error the
// previous ones stay in use.
func (s *Storage) setCredentials(ctx context.Context, c *config.Storage) error {
	credentials, err := signer.NewCredentials(ctx, signer.CredentialOptions{
		AccessKeyID: c.AccessKeyID, Secret: secretOf(c), SecretFile: c.SecretAccessKeyFile, Region: c.Region, Clock: s.Clock,
	})
	if err != nil {
		return err
	}
	s.Credentials.Store(credentials)
	return nil
}

// NewSigner makes a signer of URLs for the endpoint that recipients use.
func NewSigner(ctx context.Context, c *config.Storage, credentials aws.CredentialsProvider,
	clock *signer.Clock,
) (*signer.Signer, error) {
	return signer.New(ctx, signer.Options{
		Name: c.Name, Endpoint: c.RecipientEndpoint(), Region: c.Region, PathStyle: c.PathStyle,
		Buckets: c.Buckets, RequesterPays: c.RequesterPays, Credentials: credentials, Clock: clock,
	})
}

// secretOf returns a function that reads the secret: from the file if the configuration
// names one, each time that it is called. The signer calls it whenever the file has changed,
// and removes all white space around the secret, because the keys of S3 contain none. The
// configuration, which checks the file at the start, removes only one line break.
func secretOf(c *config.Storage) func() (string, error) {
	if c.SecretAccessKeyFile == "" {
		return func() (string, error) { return c.SecretAccessKey.Reveal(), nil }
	}
	return func() (string, error) { return config.ReadSecretFile(c.SecretAccessKeyFile) }
}

// rootCAs reads authorities from a file. Without a file it returns nil: the system's.
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
		return nil, fmt.Errorf("ca_file %s contains no certificate", path)
	}
	return pool, nil
}

// watch checks the storage regularly until ctx ends.
func (s *Storage) watch(ctx context.Context, log *slog.Logger) {
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

// check checks the storage once, and logs its health if that has changed. A refusal may be
// permanent and harmless, if the credentials are only for objects.
func (s *Storage) check(ctx context.Context, log *slog.Logger) {
	err := s.Objects.Check(ctx)
	if ctx.Err() != nil { // the service stops: the error says nothing about the storage
		return
	}
	health := s.Objects.Health()
	switch before, changed := s.logged.change(string(health)); {
	case !changed:
	case err != nil:
		log.Warn("storage check failed", "storage", s.Name, "health", health, "error", err)
	case before != "":
		log.Info("storage check passes again", "storage", s.Name, "health", health)
	}
}

// register registers the metrics that are read at a scrape.
func (s *Storage) register(registry prometheus.Registerer, timeout time.Duration) {
	labels := prometheus.Labels{"storage": s.Name}
	gateway.RegisterGauge(registry, timeout, gateway.Gauge{
		Name: "storage_clock_skew_seconds", Labels: labels, Type: prometheus.GaugeValue,
		Help: "How far the storage's clock is ahead of this machine's; absent until the storage has responded.",
		Read: func(context.Context) (float64, error) {
			skew, known := s.Clock.Skew()
			if !known {
				return 0, gateway.ErrUnavailable
			}
			return skew.Seconds(), nil
		},
	})
	gateway.RegisterGauge(registry, timeout, gateway.Gauge{
		Name: "storage_credentials_expiry_timestamp_seconds", Labels: labels, Type: prometheus.GaugeValue,
		Help: "When the storage's credentials expire, Unix time; +Inf if they do not.",
		Read: func(ctx context.Context) (float64, error) {
			credentials, err := s.Credentials.Retrieve(ctx)
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

// domainStorages returns the storages as the gateway knows them: by the interfaces that it
// declares, without the AWS SDK.
func domainStorages(storages []*Storage) []*gateway.Storage {
	out := make([]*gateway.Storage, len(storages))
	for i, s := range storages {
		out[i] = &gateway.Storage{
			Name: s.Name, Buckets: s.Buckets, Objects: s.Objects, Presigner: s.Signer,
			Timeout: s.Timeout, Skew: s.Clock.Skew,
		}
	}
	return out
}

// StorageNames returns the names of the configured storages. They are values of a label of
// metrics, which needs a closed set.
func StorageNames(cfg *config.Config) []string {
	names := make([]string, len(cfg.Storage))
	for i := range cfg.Storage {
		names[i] = cfg.Storage[i].Name
	}
	return names
}
