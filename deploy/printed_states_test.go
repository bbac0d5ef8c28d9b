package deploy_test

// preparation is the state that a command needs, as the document describes it in words,
// and a check that the command has worked.
type preparation struct {
	source, command string // the command, or its beginning
	// link is an ID or token for which the test issues a new link with flags.
	link, flags string
	// before and after run before and after the command, in the same terminal.
	before, after string
	// stopped is set if the reader has stopped the service before.
	stopped bool
}

// accessKey and contextAddress surround keyhole init. The reader has the credentials, and no
// address of another service. The service listens where the sandbox says, so the context
// gets this address too.
const (
	accessKey = `unset KEYHOLE_OPERATOR_URL; export AWS_ACCESS_KEY_ID=keyhole AWS_SECRET_ACCESS_KEY=change-me ` +
		`KEYHOLE_PUBLIC_URL=http://127.0.0.1:8080`
	contextAddress = `sed -i "s,127.0.0.1:80[8]1,$KEYHOLE_OPERATOR_LISTEN," ~/.config/keyhole/config.yaml; ` +
		`test -s operator.key`
)

// The commands that suspend Redis and resume it.
const (
	stopRedis = `kill -STOP "$(cat redis/redis.pid)"`
	wakeRedis = `kill -CONT "$(cat redis/redis.pid)"; until keyhole health >/dev/null 2>&1; do sleep 0.1; done`
)

// emptyDirectory and backToFirst surround a command that makes a configuration of its own:
// it has the credentials of a storage, and writes no context that later commands use.
const (
	emptyDirectory = `cd "$(mktemp -d)"; export XDG_CONFIG_HOME=$PWD/client; ` +
		`export AWS_ACCESS_KEY_ID=id AWS_SECRET_ACCESS_KEY=secret`
	backToFirst = `test -s keyhole.yaml && test -s client/keyhole/config.yaml && ` +
		`unset AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY XDG_CONFIG_HOME && cd ~/keyhole-first`
)

// badConfiguration has the mistakes whose messages the manual shows.
const badConfiguration = `cat >bad.yaml <<'END'
public:
  url: dl.example.org
  trusted_proxies: ["0.0.0.0/0"]
operator:
  keys:
    - { name: ci, sha256: abc, can: [isue] }
redis:
  mode: cluter
  wait_replicas: -1
  timeout: 500
storage:
  - name: main
    endpont: http://127.0.0.1:7070
    buckets: []
redirect:
  lifetime: 8d
audit: { client_address: none }
pages: { organization: Example Ltd }
END`

// preparations has the states of single commands. TestPrintedCommands fails for a row that
// no command needs.
var preparations = []preparation{ //nolint:gochecknoglobals // A table.
	{
		source: "README.md", command: "go run ./cmd/keyhole demo holiday.jpg",
		before: `cd "$SOURCE"; printf x >holiday.jpg`, after: "rm holiday.jpg",
	},
	{source: "README.md", command: "go build ./cmd/keyhole", after: "test -x ./keyhole && SOURCE=$PWD"},
	{
		source: "README.md", command: "keyhole init --bucket reports --endpoint http://127.0.0.1:7070",
		before: accessKey, after: contextAddress,
	},
	{
		// Each page begins with an empty home, in the root of the repository.
		source: installPage, command: "CGO_ENABLED=0 go build", stopped: true,
		before: `keyhole context remove local; rm -r ~/keyhole-service; cd "$SOURCE"`, after: "test -x ./keyhole",
	},
	{
		source: installPage, command: "keyhole init --bucket reports --endpoint http://127.0.0.1:7070",
		before: accessKey, after: contextAddress,
	},
	{source: installPage, command: "keyhole context remove local", stopped: true},
	{
		source: redisPage, command: "CGO_ENABLED=0 go build", after: "test -x ./keyhole",
		before: `cd "$SOURCE"; unset AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY KEYHOLE_PUBLIC_URL; ` +
			`export KEYHOLE_OPERATOR_URL=http://127.0.0.1:8081`,
	},
	{
		// With --daemonize, redis-server returns before it listens.
		source: redisPage, command: "keyhole serve --config keyhole.yaml",
		before: "until redis-cli -u redis://127.0.0.1:6380 ping >/dev/null 2>&1; do sleep 0.1; done",
	},
	{source: installPage, command: "curl -fsLOJ", after: "test -s q3.pdf"},
	{source: redisPage, command: "curl -fsLOJ", after: "test -s q3.pdf"},
	{
		source: redisPage, command: "kill ",
		after: `while [ -e redis/redis.pid ]; do sleep 0.1; done`, // Redis removes it at its end.
	},
	{source: "keyhole demo --help", command: "keyhole demo holiday.jpg", before: "printf x >holiday.jpg"},

	{
		source: "deploy/docs/use/commands.md", command: "keyhole list",
		before: "key=$KEYHOLE_KEY; unset KEYHOLE_KEY", after: "export KEYHOLE_KEY=$key",
	},
	{source: "deploy/docs/run/commands.md", command: "keyhole serve --check --config bad.yaml", before: badConfiguration},
	{
		source: "deploy/docs/use/commands.md", command: "keyhole revoke --bucket reports --prefix exports/2026/ --dry-run",
		before: "for key in a b; do keyhole share s3://reports/exports/2026/$key --quiet; done",
	},
	{
		source: "deploy/docs/use/commands.md", command: "keyhole revoke yifd6kau54mxlwxdu76bsc5mfe",
		before: stopRedis, after: wakeRedis,
	},
	{source: "deploy/docs/use/commands.md", command: "keyhole revoke yifd6kau54mxlwxdu76bsc5mfe --reason \"wrong file\""},
	{
		source: "deploy/docs/run/commands.md", command: "keyhole init --bucket reports --endpoint 127.0.0.1:9000",
		before: `cd "$(mktemp -d)"`, after: `test -z "$(ls -A)" && cd ~/keyhole-first`,
	},
	{source: "deploy/docs/run/commands.md", command: "keyhole health", before: stopRedis, after: wakeRedis},
	{
		source: "deploy/docs/run/commands.md", command: "keyhole doctor",
		before: "export KEYHOLE_STORAGE_MAIN_PUBLIC_ENDPOINT=https://s3.example.com",
		after:  "unset KEYHOLE_STORAGE_MAIN_PUBLIC_ENDPOINT",
	},
	{source: "deploy/docs/run/commands.md", command: "source <(keyhole completion bash)", after: "complete -p keyhole"},
	{
		source: "deploy/docs/use/find.md", command: "keyhole audit --since 30d",
		after: `grep -q '"kind":"issued"' november.ndjson`,
	},

	{
		source: "deploy/docs/use/receive.md", command: "curl -fL -d confirm=1",
		link: "5nXcUyqpV8oKWj3sRtE1Mh", flags: "--passphrase-file ~/passphrase",
		before: `(umask 077; printf k7pm-2xqe-w4tn-h6vd >~/passphrase); cd "$(mktemp -d)"`,
		after:  "test -s q3.pdf && cd ~/keyhole-first",
	},
	{source: "deploy/docs/run/runbook.md", command: "keyhole serve --check --config FILE", before: "cp keyhole.yaml FILE"},

	{
		source:  "deploy/docs/build/api.md",
		command: `curl -s -H "$H" -H 'Content-Type: application/json' -H 'Idempotency-Key: export-2026-11-23'`,
		before:  `printf '{"bucket":"reports","key":"q3.pdf"}' >request.json`,
		after:   `grep -q '"url":"http' "$OUTPUT"`,
	},
	{
		// The next example shows a click on the link that was revoked.
		source: "deploy/docs/build/api.md", command: `curl -s -H "$H" "$API/links/rp4vo4rxyrh3gxnnh4pw22u56q/events"`,
		after: "curl -s http://127.0.0.1:8080/9Sjvunyn8N8KDTyjtcgkUy",
	},
	{
		source: "deploy/docs/run/keyhole.yaml", command: "keyhole serve --config keyhole.yaml --check",
		before: `cd "$SOURCE/deploy/docs/run"`, after: "cd ~/keyhole-first",
	},
	{source: "deploy/redis/redis.conf", command: `printf %s "$password"`, before: "password=secret"},

	{
		source: "keyhole init --help", command: "keyhole init --bucket reports --region eu-central-1",
		before: emptyDirectory, after: backToFirst,
	},
	{
		source: "keyhole init --help", command: "keyhole init --bucket reports --endpoint",
		before: emptyDirectory, after: backToFirst,
	},
	{source: "keyhole change --help", command: "keyhole change 7kq… --expires 2h", link: "7kq…"},
	{source: "keyhole resend --help", command: "keyhole resend 7kq…", link: "7kq…"},
	{source: "keyhole audit erase --help", command: "keyhole audit erase --link 7kq…", link: "7kq…"},
	{
		source: "keyhole audit --help", command: "keyhole audit --since 2026-11-01T00:00:00Z",
		after: `grep -q '"kind":"issued"' november.ndjson`,
	},
	{
		source: "keyhole share --help", command: "keyhole share s3://reports/q3.pdf --preset handoff",
		after: "grep -q ^http ~/clipboard",
	},
	{source: "keyhole man --help", command: "keyhole man", after: "test -s ~/.local/share/man/man1/keyhole-share.1"},
}
