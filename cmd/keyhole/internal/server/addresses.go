package server

import (
	"context"
	"log/slog"
	"net/netip"
	"time"

	"keyhole/config"
	"keyhole/gateway/addresses"
	"keyhole/gateway/redisstore"
)

// hashKeyInterval is how often the daily key is fetched by which addresses are hashed. It is
// short because a service that starts without Redis records no addresses until then.
const hashKeyInterval = 5 * time.Second

// recordAddresses returns the policy by which client addresses are recorded. Until
// background ends, it keeps the policy's hash key up to date.
func recordAddresses(
	ctx, background context.Context, cfg config.Audit, keys addresses.DailyKeys, log *slog.Logger,
) (*addresses.Policy, error) {
	mode, err := addresses.ParseMode(cfg.ClientAddress)
	if err != nil {
		return nil, err
	}
	policy := addresses.NewPolicy(mode, keys, time.Now)
	if err := policy.Refresh(ctx); err != nil {
		log.Warn("client addresses are not recorded: no hash key yet", "error", err)
	}
	go func() {
		ticker := time.NewTicker(hashKeyInterval)
		defer ticker.Stop()
		for {
			select {
			case <-background.Done():
				return
			case <-ticker.C:
				// While Redis is unreachable no click is served, which is logged elsewhere.
				_ = policy.Refresh(background)
			}
		}
	}()
	return policy, nil
}

// addressForms returns a function that returns all forms in which events may hold an
// address.
func addressForms(store *redisstore.Store) func(context.Context, netip.Addr) ([]string, error) {
	return func(ctx context.Context, addr netip.Addr) ([]string, error) {
		keys, err := store.KnownDailyKeys(ctx, addresses.KeyDays(time.Now()))
		if err != nil {
			return nil, err
		}
		return addresses.Forms(addr, keys), nil
	}
}
