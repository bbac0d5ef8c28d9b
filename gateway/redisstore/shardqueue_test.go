package redisstore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"keyhole/gateway/redisstore/batch"
)

// newOfflineStore returns a store whose client has nothing to connect to.
func newOfflineStore(t *testing.T) *Store {
	t.Helper()
	client, err := Connect(ClientOptions{Mode: ModeSingle, Addresses: []string{"127.0.0.1:1"}, Timeout: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	s, err := New(client, Options{
		Prefix: "keyhole", Retention: Retention{MaxLife: time.Hour, AfterEnd: time.Hour}, MaxClickEvents: 1,
		Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// newNode returns the client of a node that answers calls by a hook.
func newNode(t *testing.T, hook redis.Hook) *redis.Client {
	t.Helper()
	node := redis.NewClient(&redis.Options{Addr: "127.0.0.1:1"})
	t.Cleanup(func() { _ = node.Close() })
	node.AddHook(hook)
	return node
}

// answering is a hook that answers every call of the script of clicks, or fails it.
type answering struct {
	fail  func(partition string) error
	calls atomic.Int64
}

func (*answering) DialHook(next redis.DialHook) redis.DialHook { return next }

func (a *answering) ProcessHook(redis.ProcessHook) redis.ProcessHook {
	return func(_ context.Context, cmd redis.Cmder) error { return a.answer(cmd) }
}

func (a *answering) ProcessPipelineHook(redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(_ context.Context, cmds []redis.Cmder) error {
		var failed error
		for _, cmd := range cmds {
			failed = errors.Join(failed, a.answer(cmd))
		}
		return failed
	}
}

// answer answers a call with its identifier and "n" for each of its clicks.
func (a *answering) answer(cmd redis.Cmder) error {
	a.calls.Add(1)
	args := cmd.Args()
	if err := a.fail(*args[3].(*string)); err != nil {
		cmd.SetErr(err)
		return err
	}
	answers := []string{*args[len(args)-1].(*string)}
	for range args[2].(int) / 3 {
		answers = append(answers, "n")
	}
	cmd.(once).Cmder.(*redis.StringSliceCmd).SetVal(answers)
	return nil
}

// TestSendToMaster sends clicks of several partitions to a node that fails some of them.
// Calls that the node did not execute are sent once more, by the store's own client;
// all others keep their error.
func TestSendToMaster(t *testing.T) {
	timeout := &net.OpError{Op: "read", Err: context.DeadlineExceeded}
	for name, test := range map[string]struct {
		fail   error
		want   error
		others int64 // calls of the store's own client
	}{
		"answered":       {nil, nil, 0},
		"moved":          {answer("MOVED 1 127.0.0.1:2"), nil, 1},
		"asked":          {answer("ASK 1 127.0.0.1:2"), nil, 1},
		"closed":         {redis.ErrClosed, nil, 1},
		"not dialled":    {&net.OpError{Op: "dial", Err: errors.New("refused")}, nil, 1},
		"reply lost":     {io.EOF, io.EOF, 0},
		"reply too late": {timeout, timeout, 0},
		"out of memory":  {answer("OOM command not allowed"), answer("OOM command not allowed"), 0},
	} {
		t.Run(name, func(t *testing.T) {
			s := newOfflineStore(t)
			own := &answering{fail: func(string) error { return nil }}
			s.client.clicks.(*redis.Client).AddHook(own)
			node := newNode(t, &answering{fail: func(key string) error {
				if key == "fails" {
					return test.fail
				}
				return nil
			}})
			var clicks []*pendingClick
			for i, key := range []string{"works", "fails", "works", "works"} {
				p := batch.NewPending[click]()
				p.Item = click{partition: []int{7, 3, 7, 9}[i], permission: key}
				clicks = append(clicks, p)
			}
			s.sendToMaster(t.Context(), node, slices.Clone(clicks))
			for i, p := range clicks {
				err := p.Wait()
				if i != 1 && (err != nil || p.Item.answer != "n") {
					t.Errorf("click %d: %q, %v", i, p.Item.answer, err)
				}
				if i == 1 && !errors.Is(err, test.want) {
					t.Errorf("the click that failed: %v, want %v", err, test.want)
				}
			}
			if got := own.calls.Load(); got != test.others {
				t.Errorf("%d calls by the store's own client, want %d", got, test.others)
			}
		})
	}
}

// TestQueueFor keeps one queue per master, and replaces it with its client.
func TestQueueFor(t *testing.T) {
	s := newOfflineStore(t)
	hook := &answering{fail: func(string) error { return nil }}
	first, second := newNode(t, hook), newNode(t, hook)
	q := s.queueFor(first)
	if q.node != first || s.queueFor(first) != q {
		t.Error("a master has more than one queue")
	}
	replaced := s.queueFor(second)
	if replaced == q || replaced.node != second || s.queueFor(second) != replaced {
		t.Error("the queue of a closed client was not replaced")
	}
}

// TestGroupByPartition keeps the clicks of a partition together, in their order.
func TestGroupByPartition(t *testing.T) {
	for _, tt := range []struct {
		partitions []int
		want       string
	}{
		{[]int{5}, "[[5/0]]"},
		{[]int{5, 5}, "[[5/0 5/1]]"},
		{[]int{9, 2, 9, 0, 2}, "[[0/3] [2/1 2/4] [9/0 9/2]]"},
	} {
		var clicks []*pendingClick
		for i, partition := range tt.partitions {
			p := batch.NewPending[click]()
			p.Item = click{partition: partition, permission: fmt.Sprint(partition, "/", i)}
			clicks = append(clicks, p)
		}
		var got [][]string
		for _, group := range groupByPartition(clicks) {
			var keys []string
			for _, p := range group {
				keys = append(keys, fmt.Sprintf("%d/%s", p.Item.partition, p.Item.permission[len(p.Item.permission)-1:]))
			}
			got = append(got, keys)
		}
		if fmt.Sprint(got) != tt.want {
			t.Errorf("%v: grouped %v, want %s", tt.partitions, got, tt.want)
		}
	}
}
