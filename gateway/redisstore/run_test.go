package redisstore

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"
)

// scripted is a hook that answers pipelines without a server.
type scripted struct {
	answers [][]error // of each pipeline, by command; nil: success
	asked   []string  // the verbs of each pipeline
}

func (*scripted) DialHook(next redis.DialHook) redis.DialHook          { return next }
func (*scripted) ProcessHook(next redis.ProcessHook) redis.ProcessHook { return next }

func (s *scripted) ProcessPipelineHook(redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(_ context.Context, cmds []redis.Cmder) error {
		var answers []error
		if len(s.asked) < len(s.answers) {
			answers = s.answers[len(s.asked)]
		}
		var verbs []string
		for i, cmd := range cmds {
			args := cmd.Args()
			verbs = append(verbs, fmt.Sprintf("%v %v", args[0], args[len(args)-2]))
			if i < len(answers) && answers[i] != nil {
				cmd.SetErr(answers[i])
				continue
			}
			if wrapped, ok := cmd.(once); ok {
				cmd = wrapped.Cmder
			}
			cmd.(*redis.Cmd).SetVal([]any{args[len(args)-1], "done"})
		}
		s.asked = append(s.asked, strings.Join(verbs, ", "))
		return nil
	}
}

// TestRunAll executes a script twice in a pipeline: only executions that a node refused
// without executing them are sent again.
func TestRunAll(t *testing.T) {
	noScript, tryAgain, failed := answer("NOSCRIPT No matching script."), answer("TRYAGAIN Multiple keys"),
		answer("ERR failed")
	for name, test := range map[string]struct {
		answers [][]error
		asked   []string
		replies []any
		err     error
	}{
		"nothing": {nil, []string{"evalsha a, evalsha b"}, []any{"done", "done"}, nil},
		"no script": {
			[][]error{{noScript, noScript}},
			[]string{"evalsha a, evalsha b", "eval a, eval b"},
			[]any{"done", "done"},
			nil,
		},
		"no script on one": {[][]error{{nil, noScript}}, []string{"evalsha a, evalsha b", "eval b"}, []any{
			"done",
			"done",
		}, nil},
		"migration of one": {[][]error{{tryAgain, nil}}, []string{"evalsha a, evalsha b", "evalsha a"}, []any{
			"done",
			"done",
		}, nil},
		"migration, no script": {[][]error{{tryAgain, nil}, {noScript}}, []string{
			"evalsha a, evalsha b", "evalsha a",
			"eval a",
		}, []any{"done", "done"}, nil},
		"no script, migration": {[][]error{{noScript, nil}, {tryAgain}}, []string{
			"evalsha a, evalsha b", "eval a",
			"eval a",
		}, []any{"done", "done"}, nil},
		"one fails": {[][]error{{failed, nil}}, []string{"evalsha a, evalsha b"}, []any{nil, "done"}, failed},
		"one fails, no script": {[][]error{{failed, noScript}}, []string{"evalsha a, evalsha b", "eval b"}, []any{
			nil,
			"done",
		}, failed},
	} {
		t.Run(name, func(t *testing.T) {
			c := redis.NewClient(&redis.Options{Addr: "127.0.0.1:1"})
			t.Cleanup(func() { _ = c.Close() })
			hook := &scripted{answers: test.answers}
			c.AddHook(hook)
			executions := []execution{{args: []any{"a"}}, {args: []any{"b"}}}
			if err := runAll(t.Context(), c, script{source: "s", digest: "d"}, false, executions); !errors.Is(err, test.err) {
				t.Errorf("error %v, want %v", err, test.err)
			}
			if got, want := fmt.Sprintf("%q", hook.asked), fmt.Sprintf("%q", test.asked); got != want {
				t.Errorf("asked with %s, want %s", got, want)
			}
			if got := []any{executions[0].reply, executions[1].reply}; fmt.Sprint(got) != fmt.Sprint(test.replies) {
				t.Errorf("replies %v, want %v", got, test.replies)
			}
		})
	}
}

// TestReplyTo accepts only the reply to its own call.
func TestReplyTo(t *testing.T) {
	if v, err := replyTo("mine", []any{"mine", "value"}); v != "value" || err != nil {
		t.Errorf("its own reply: %v, %v", v, err)
	}
	for name, reply := range map[string]any{
		"of another call": []any{"other", "value"},
		"without a call":  "value",
		"cut short":       []any{"mine"},
		"nothing":         nil,
	} {
		if v, err := replyTo("mine", reply); v != nil || !errors.Is(err, errOtherReply) {
			t.Errorf("%s: %v, %v", name, v, err)
		}
	}
}
