package redisstore

import (
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"keyhole/gateway"
	"keyhole/gateway/redisstore/redistest"
)

// TestConfirmAllKnowsTheMaster refuses a confirmation by a master other than the one that
// was read: a replica that has taken over may lack its state.
func TestConfirmAllKnowsTheMaster(t *testing.T) {
	t.Parallel()
	g := redistest.StartSentinel(t)
	client, err := Connect(ClientOptions{
		Mode: ModeSentinel, Addresses: g.Addresses, MasterName: g.Master, Timeout: 10 * time.Second,
		Username: redistest.Username, Password: redistest.Password,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	s, err := New(client, Options{
		Prefix: "keyhole", Retention: Retention{MaxLife: time.Hour, AfterEnd: time.Hour}, MaxClickEvents: 1,
		WaitReplicas: 1, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	ids, err := s.replicationIDs(t.Context())
	if err != nil || len(ids[0]) != 40 {
		t.Fatalf("replication IDs %q, %v", ids[0], err)
	}
	redistest.Wait(t, "the replica to confirm", func() error { return s.confirmAll(t.Context(), ids) })
	ids[partitions-1] = strings.Repeat("0", 40)
	if err := s.confirmAll(t.Context(), ids); !errors.Is(err, gateway.ErrNotConfirmed) ||
		!strings.Contains(err.Error(), "has changed") {
		t.Errorf("another master confirmed: %v", err)
	}
}
