//go:build system

package system

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"keyhole/gateway/objects/s3test"
	"keyhole/gateway/redisstore/redistest"
)

// TestScripts runs testdata/*.txtar over the real binary, a real Redis and a real
// S3 server. Beside testscript's own commands a script has:
//
//	gateway [VAR=V]... start a gateway; sets $PUBLIC, $KEYHOLE_OPERATOR_URL, $KEYHOLE_KEY
//	                   and $FILE, its configuration
//	put KEY FILE       store FILE in the bucket reports
//	keep NAME          keep the last standard output, trimmed, as $NAME
//	exits CODE ARG...  run a program that must end with CODE
//	until CODE URL     ask for URL until the status is CODE
//	shows REGEXP ARG... run a program until its output matches: the gateway records refused
//	                   clicks after their answers, and a help text does not wait for it
//	nowhere SECRET...  none of these, no key, password or signature is in the
//	                   gateway's log, in Redis or in the metrics
func TestScripts(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"curl", "wget"} {
		if _, err := exec.LookPath(name); err != nil {
			t.Fatalf("%s is not installed: run deploy/test, which installs it", name)
		}
	}
	scripts, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(scripts) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	for _, script := range scripts {
		t.Run(strings.TrimSuffix(filepath.Base(script), ".txtar"), func(t *testing.T) {
			t.Parallel()
			runScript(t, script)
		})
	}
}

// runScript runs one script in an installation of its own.
func runScript(t *testing.T, script string) {
	t.Helper()
	var in *installation
	var running *instance
	testscript.Run(t, testscript.Params{
		Files: []string{script},
		Setup: func(env *testscript.Env) error {
			env.Setenv("PATH", filepath.Dir(binary)+string(os.PathListSeparator)+os.Getenv("PATH"))
			// In the C locale wget decodes and breaks the percent signs of a redirect.
			env.Setenv("LC_ALL", "C.UTF-8")
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"gateway": func(ts *testscript.TestScript, _ bool, env []string) {
				if in == nil {
					in = install(t)
				}
				running = in.start(env...)
				ts.Setenv("PUBLIC", running.public)
				ts.Setenv("KEYHOLE_OPERATOR_URL", running.operator)
				ts.Setenv("KEYHOLE_KEY", in.key)
				ts.Setenv("S3", in.s3.Endpoint())
				ts.Setenv("FILE", running.config)
			},
			"put": func(ts *testscript.TestScript, _ bool, args []string) {
				content, err := os.ReadFile(ts.MkAbs(args[1]))
				ts.Check(err)
				in.put(t, args[0], content)
			},
			"keep": func(ts *testscript.TestScript, _ bool, args []string) {
				ts.Setenv(args[0], strings.TrimSpace(ts.ReadFile("stdout")))
			},
			"exits": func(ts *testscript.TestScript, _ bool, args []string) {
				want, err := strconv.Atoi(args[0])
				ts.Check(err)
				got := 0
				var ended *exec.ExitError
				if err := ts.Exec(args[1], args[2:]...); errors.As(err, &ended) {
					got = ended.ExitCode()
				} else {
					ts.Check(err)
				}
				if got != want {
					ts.Fatalf("%v exits with %d, want %d", args[1:], got, want)
				}
			},
			"until": func(ts *testscript.TestScript, _ bool, args []string) {
				eventually(t, "status "+args[0], func() error {
					if a := get(t, http.MethodGet, args[1]); strconv.Itoa(a.status) != args[0] {
						return fmt.Errorf("status %d", a.status)
					}
					return nil
				})
			},
			"shows": func(ts *testscript.TestScript, _ bool, args []string) {
				want, err := regexp.Compile("(?m)" + args[0])
				ts.Check(err)
				eventually(t, fmt.Sprintf("%v to show %s", args[1:], want), func() error {
					ts.Check(ts.Exec(args[1], args[2:]...))
					if shown := ts.ReadFile("stdout"); !want.MatchString(shown) {
						return errors.New(shown)
					}
					return nil
				})
			},
			"nowhere": func(ts *testscript.TestScript, _ bool, secrets []string) {
				traces := running.traces(t, in)
				for _, s := range append(secrets, in.key, s3test.RootSecret, redistest.Password, "X-Amz-Signature") {
					for where, text := range traces {
						if strings.Contains(text, s[strings.LastIndexByte(s, '/')+1:]) {
							ts.Fatalf("a secret is in %s", where)
						}
					}
				}
			},
		},
	})
}

// traces returns everything that the service leaves behind: its log, what Redis
// has in memory and on disk, and the metrics.
func (g *instance) traces(t *testing.T, in *installation) map[string]string {
	t.Helper()
	in.redis.MustDo(t, "SAVE")
	dir := strings.TrimPrefix(in.redis.MustDo(t, "CONFIG", "GET", "dir"), "dir\n")
	dump, err := os.ReadFile(filepath.Join(dir, "dump.rdb"))
	if err != nil {
		t.Fatal(err)
	}
	traces := map[string]string{
		"the log":     g.process.output.String(),
		"Redis' dump": string(dump),
		"the metrics": get(t, http.MethodGet, g.operator+"/metrics").body,
	}
	for where, expected := range map[string]string{
		"the log": `"msg":"click"`, "Redis' dump": "keyhole:{p",
		"the metrics": "keyhole_clicks_total",
	} {
		if !strings.Contains(traces[where], expected) {
			t.Fatalf("%s does not hold %q: nothing was looked at", where, expected)
		}
	}
	return traces
}

// A link that lives for seconds ends by Redis' clock: no job of the gateway ends it, and
// Redis removes the key when the link ends.
func TestExpiryNeedsNoJob(t *testing.T) {
	t.Parallel()
	in := install(t)
	in.put(t, "file.txt", []byte("content"))
	g := in.start()
	link := shareFor(t, g, "10s")
	if a := get(t, http.MethodGet, link.URL); a.status != http.StatusFound {
		t.Fatalf("at once: %d", a.status)
	}
	const permissions = `return redis.call('KEYS', 'keyhole:{p*}:l:*')`
	permission := in.redis.MustDo(t, "EVAL", permissions, "0")
	if ends := in.redis.MustDo(t, "PEXPIRETIME", permission); ends != strconv.FormatInt(link.ExpiresAt.UnixMilli(), 10) {
		t.Errorf("Redis ends the permission at %s ms, and the link ends at %d ms", ends, link.ExpiresAt.UnixMilli())
	}
	if err := g.process.terminate(t, syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the permission to go without any gateway", func() error {
		if left := in.redis.MustDo(t, "EVAL", permissions, "0"); left != "" {
			return fmt.Errorf("%s is left", left)
		}
		return nil
	})
	again := in.start()
	a := get(t, http.MethodGet, strings.Replace(link.URL, g.public, again.public, 1), "Accept", "application/json")
	if a.status != http.StatusGone || !strings.Contains(a.body, `"code":"expired"`) {
		t.Errorf("after its expiry: %d %s", a.status, a.body)
	}
}
