package redisstore_test

import (
	"errors"
	"testing"

	"keyhole/gateway"
	"keyhole/gateway/redisstore"
)

// ReadCursors writes nothing, and opens what a gateway on the same Redis has sealed.
func TestReadCursors(t *testing.T) {
	t.Parallel()
	single, prefix := startSingle(t), newPrefix()
	store := open(t, single.client, withPrefix(prefix))
	if _, err := store.ReadCursors(t.Context()); !errors.Is(err, gateway.ErrNotFound) {
		t.Errorf("before the first gateway: %v", err)
	}
	if keys := single.nodes[0].MustDo(t, "DBSIZE"); keys != "0" {
		t.Errorf("it has written %s keys", keys)
	}
	sealed, err := store.SealCursor(t.Context(), "query", "position") // as a gateway, it draws the key
	if err != nil {
		t.Fatal(err)
	}
	reader, err := open(t, single.client, withPrefix(prefix)).ReadCursors(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if got, err := reader.OpenCursor(t.Context(), "query", sealed); got != "position" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
	if _, err := reader.OpenCursor(t.Context(), "other", sealed); !errors.Is(err, gateway.ErrCursor) {
		t.Errorf("for another query: %v", err)
	}
	back, err := reader.SealCursor(t.Context(), "query", "back")
	if err != nil {
		t.Fatal(err)
	}
	if got, err := store.OpenCursor(t.Context(), "query", back); got != "back" || err != nil {
		t.Errorf("the gateway opens %q, %v", got, err)
	}
}

// A key that no gateway has drawn, and a Redis that does not answer, are errors.
func TestReadCursorsFails(t *testing.T) {
	t.Parallel()
	single, prefix := startSingle(t), newPrefix()
	single.nodes[0].MustDo(t, "SET", prefix+":cursors", "short")
	store := open(t, single.client, withPrefix(prefix))
	if _, err := store.ReadCursors(t.Context()); !errors.Is(err, gateway.ErrRecord) {
		t.Errorf("a short key: %v", err)
	}
	away := open(t, clientOptions(redisstore.ModeSingle, "127.0.0.1:1"))
	if _, err := away.ReadCursors(t.Context()); !errors.Is(err, gateway.ErrUnavailable) {
		t.Errorf("no Redis: %v", err)
	}
}
