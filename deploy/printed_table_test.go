package deploy_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"
)

// Why a printed command is not run by the tests.
const (
	needsEngine  = "needs a Docker engine"
	needsSystemd = "needs systemd as the first process of the machine"
	runsTests    = "runs these very tests, or for a quarter of an hour and longer"
	needsRelease = "needs a published release, and changes the system: TestRelease and deploy/packages/check have it"
	isMention    = "names a command in a sentence, without what it would need to run"
	movesRedis   = "needs systemd and a second Redis: TestMoveAsDocumented runs it, without systemd"
	asksForKey   = "asks for a key on a terminal, which TestContextAddAsks has"
)

// operatePage is the page about running the service.
const operatePage = "deploy/docs/run/operate.md"

// notRun has the printed commands that no test runs, with the reason. TestPrintedCommands
// runs all others. An empty source matches every source.
var notRun = []struct{ source, command, why string }{ //nolint:gochecknoglobals // A table.
	{
		"Dockerfile", "docker build --build-arg VERSION=1.2.3 --build-arg REVISION=$(git rev-parse HEAD) -t keyhole .",
		needsEngine,
	},
	{installPage, "docker build -t keyhole .", needsEngine},
	{installPage, "sha256sum --check --ignore-missing SHA256SUMS", needsRelease},
	{installPage, "gh attestation verify keyhole_1.0.0_linux_amd64.tar.gz --repo OWNER/REPOSITORY", needsRelease},
	{installPage, "sudo apt install ./keyhole_1.0.0_amd64.deb", needsRelease},
	{installPage, "sudo dnf install ./keyhole-1.0.0-1.x86_64.rpm", needsRelease},
	{
		installPage, "sudo keyhole init --directory /etc/keyhole --bucket reports --endpoint http://127.0.0.1:7070",
		needsRelease,
	},
	{
		installPage,
		"sudo cat /etc/keyhole/operator.key | keyhole context add local --url http://127.0.0.1:8081 -", needsRelease,
	},
	{installPage, "systemctl reload keyhole", needsRelease},
	{installPage, "sudo -u keyhole keyhole doctor --config /etc/keyhole/keyhole.yaml", needsRelease},
	{
		operatePage, "sudo -u keyhole keyhole redis move --config /etc/keyhole/keyhole.yaml --to /etc/keyhole/new.yaml",
		movesRedis,
	},
	{operatePage, "redis-cli --cluster call", isMention},
	{
		operatePage, "redis-cli -s /var/lib/keyhole/redis/redis.sock --user keyhole --pass none DEL KEY",
		isMention,
	},
	{installPage, "tar -xzf keyhole_1.0.0_linux_amd64.tar.gz", needsRelease},
	{installPage, "sudo install keyhole_1.0.0_linux_amd64/keyhole /usr/local/bin", needsRelease},
	{installPage, "skopeo copy --all oci-archive:keyhole_1.0.0_image.tar docker://REGISTRY/keyhole:1.0.0", needsRelease},
	{
		installPage,
		"cosign verify-blob --bundle SHA256SUMS.sigstore.json --certificate-oidc-issuer " +
			"https://token.actions.githubusercontent.com \\\n" +
			"--certificate-identity-regexp '^https://github.com/OWNER/REPOSITORY/.github/workflows/release.yml@refs/tags/v' " +
			"SHA256SUMS",
		needsRelease,
	},
	{installPage, "go install", isMention},
	{"deploy/docs/run/configuration.md", "docker kill -s HUP", needsEngine},
	{"deploy/docs/run/runbook.md", "systemctl status keyhole", needsSystemd},
	{"deploy/docs/run/configuration.md", "systemctl reload keyhole", needsSystemd},
	{"deploy/docs/run/configuration.md", "systemctl restart keyhole", needsSystemd},
	{
		operatePage, "redis-cli -h redis.example.com -p 6379 --user admin --askpass ACL SETUSER keyhole +scan +restore",
		movesRedis,
	},
	{
		operatePage,
		"redis-cli --user admin --askpass --cluster call redis.example.com:6379 ACL SETUSER keyhole +scan +restore",
		movesRedis,
	},
	{operatePage, "systemctl stop keyhole", movesRedis},
	{operatePage, "keyhole redis move --config keyhole.yaml --to new.yaml", movesRedis},
	{operatePage, "mv new.yaml keyhole.yaml", movesRedis},
	{operatePage, "systemctl start keyhole", movesRedis},
	{operatePage, "keyhole doctor --config keyhole.yaml", movesRedis},
	{
		"deploy/systemd/keyhole.service",
		"systemd-sysusers && systemctl daemon-reload && systemctl enable --now keyhole", needsSystemd,
	},
	{"", "deploy/test", runsTests},
	{"", "deploy/matrix", runsTests},
	{"", "deploy/history", runsTests},
	{"", "deploy/bench/run", runsTests},
	{"", "deploy/bench/run --commit-profile", runsTests},
	{"deploy/docs/dev/performance.md", "deploy/bench/run -rounds 1 -only 'pin none'", runsTests},
	{
		"deploy/docs/dev/performance.md",
		"deploy/bench/run --before b09550d -rounds 5 -duration 1s -only '404 of an unknown token'", runsTests,
	},
	{"deploy/docs/dev/performance.md", "deploy/bench/run -rounds 1 -only 'pin none' -profile DIRECTORY", runsTests},
	{"deploy/docs/dev/performance.md", "deploy/bench/run -env GOGC=400 -only 'pin none'", runsTests},
	{"deploy/docs/dev/performance.md", "deploy/bench/run -rounds 9 -only 'pin none, in memory' -env …", runsTests},
	{"deploy/docs/dev/testing.md", "deploy/test --all", runsTests},
	{"deploy/docs/dev/performance.md", "deploy/bench/run --before HEAD~1 -only 'pin none, in memory'", runsTests},
	{"deploy/docs/dev/performance.md", "deploy/bench/run --variant NAME -rounds 7 -duration 1s -only ROW", runsTests},
	{"", "deploy/bench/run -consoles 20 -rounds 15 -only 'pin none, in memory'", runsTests},
	{"deploy/docs/dev/testing.md", "deploy/corpus", runsTests},
	{"deploy/docs/dev/testing.md", "deploy/mutants/run", runsTests},
	{"deploy/docs/dev/testing.md", "deploy/mutants/run signer", runsTests},
	{"deploy/docs/dev/testing.md", "deploy/mutants/run gateway/redisstore/lua", runsTests},
	{"deploy/docs/dev/testing.md", "deploy/mutants/run gateway/redisstore/lua spend.lua", runsTests},
	{"deploy/docs/dev/testing.md", "deploy/mutants/run --each 10 --minutes 20 config", runsTests},
	{"deploy/docs/dev/testing.md", "deploy/setup", isMention},
	{"deploy/docs/dev/testing.md", `export TEST_TOOLS=$(ls -dt ~/.cache/keyhole-tools/* | head -1)`, runsTests},
	{"deploy/docs/dev/testing.md", "export PATH=$TEST_TOOLS:$PATH", runsTests},
	{
		"deploy/docs/dev/testing.md",
		"export AXE_CORE=$(ls -dt ~/.cache/keyhole-axe/*/node_modules/axe-core/axe.min.js | head -1)", runsTests,
	},
	{"deploy/docs/dev/testing.md", "deploy/pictures", runsTests},
	{"deploy/docs/dev/testing.md", "deploy/pictures --console", runsTests},
	{"deploy/docs/dev/testing.md", "deploy/pictures --documents", runsTests},
	{"deploy/docs/dev/testing.md", `"$TEST_TOOLS/golangci-lint" run ./gateway/...`, runsTests},
	{"deploy/docs/use/receive.md", "curl -c jar -d confirm=1 …", isMention},
	{"deploy/docs/use/receive.md", "curl -b jar -C - …", isMention},
	{"", "wget --no-iri", isMention},
	{"keyhole context add --help", "keyhole context add prod --url https://keyhole-ops.example.com", asksForKey},
}

// whyNot returns the row of notRun for a command, or -1.
func whyNot(p printed) int {
	return slices.IndexFunc(notRun, func(row struct{ source, command, why string }) bool {
		return row.command == p.command && (row.source == "" || row.source == p.source)
	})
}

// goTest matches a command that runs tests. TestPrintedTestsExist checks their names.
var goTest = regexp.MustCompile(`(^|^\S+=\S+ )go test( |$)`)

// Every command that a document prints is run by TestPrintedCommands, names tests that
// exist, or has a row that says why it cannot be run here. A row must be needed.
func TestEveryPrintedCommandIsAccountedFor(t *testing.T) {
	t.Parallel()
	used := make([]bool, len(notRun))
	for source, commands := range allPrinted(t, helps(t, buildKeyhole(t))) {
		for _, p := range commands {
			row := whyNot(p)
			switch {
			case row >= 0:
				used[row] = true
			case p.command == "":
				t.Errorf("%s: a console fence shows output before any command:\n%s", source, p.prints)
			case !goTest.MatchString(p.command) && sessionOf(source) == "":
				t.Errorf("%s prints a command that no test runs and no row of notRun explains:\n%s", source, p.command)
			}
		}
	}
	for i, row := range notRun {
		if !used[i] {
			t.Errorf("notRun has a row for a command that is not printed: %s %s", row.source, row.command)
		}
	}
}

// Tests and benchmarks that a document names exist in the packages that it names.
func TestPrintedTestsExist(t *testing.T) {
	t.Parallel()
	checked := 0
	for source, commands := range allPrinted(t, helps(t, buildKeyhole(t))) {
		for _, p := range commands {
			if !goTest.MatchString(p.command) || p.command == "go test -run" {
				continue
			}
			checked++
			_, arguments, _ := strings.Cut(p.command, "go test ")
			checkGoTest(t, source, strings.Fields(arguments))
		}
	}
	if checked < 15 {
		t.Errorf("%d commands run tests: they are not found", checked)
	}
}

// checkGoTest checks that the tests in the arguments of `go test` exist.
func checkGoTest(t *testing.T, source string, arguments []string) {
	t.Helper()
	var text strings.Builder // of the tests of all packages that are named
	for i := 0; i < len(arguments); i++ {
		argument := strings.Trim(arguments[i], "'")
		value := ""
		if i+1 < len(arguments) {
			value = strings.Trim(arguments[i+1], "'")
		}
		switch {
		case strings.HasPrefix(argument, "./"):
			for _, path := range glob(t, "../"+argument+"/*_test.go") {
				text.Write(read(t, path))
			}
		case argument == "-run" && value == "^$", argument == "-run" && value == "NAME":
			i++
		case argument == "-run", argument == "-bench", argument == "-fuzz":
			i++
			kind := map[string]string{"-run": "Test", "-bench": "Benchmark", "-fuzz": "Fuzz"}[argument]
			for _, name := range strings.Split(value, "|") {
				found := regexp.MustCompile(`(?m)^func `+kind+`\w*\(`).FindAllString(text.String(), -1)
				if !slices.ContainsFunc(found, func(f string) bool {
					return regexp.MustCompile(name).MatchString(strings.TrimSuffix(strings.TrimPrefix(f, "func "), "("))
				}) {
					t.Errorf("%s names %s %s, which no test of these packages matches", source, argument, name)
				}
			}
		case argument == "-benchtime", argument == "-timeout", argument == "-fuzztime", argument == "-tags":
			i++
		case argument == "-v", argument == "-args":
		case argument == "-update":
			if !strings.Contains(text.String(), `flag.Bool("update"`) {
				t.Errorf("%s names -update, which the tests do not have", source)
			}
		case argument == "-rounds":
			i++
			if !strings.Contains(text.String(), `flag.Int("rounds"`) {
				t.Errorf("%s names -rounds, which the tests do not have", source)
			}
		default:
			t.Errorf("%s gives go test %q, which this test does not know", source, argument)
		}
	}
}

// The benchmark has every flag and every row that a document gives it.
func TestPrintedBenchmarkFlagsExist(t *testing.T) {
	var code strings.Builder
	code.Write(read(t, "bench/run"))
	for _, path := range glob(t, "bench/clicks/*.go") {
		code.Write(read(t, path))
	}
	for _, row := range notRun {
		words, is := strings.CutPrefix(row.command, "deploy/bench/run ")
		if !is {
			continue
		}
		for _, name := range regexp.MustCompile(`(?:^| )--?([a-z-]+)`).FindAllStringSubmatch(words, -1) {
			if !strings.Contains(code.String(), `"`+name[1]+`"`) && !strings.Contains(code.String(), "--"+name[1]) {
				t.Errorf("deploy/bench/run has no flag %s, which %s prints", name[1], row.source)
			}
		}
		for _, name := range regexp.MustCompile(`'([^']+)'`).FindAllStringSubmatch(words, -1) {
			for part := range strings.SplitSeq(name[1], ", ") {
				if !strings.Contains(string(read(t, "bench/results.md")), part) {
					t.Errorf("the benchmark has no row %q, which %s prints", name[1], row.source)
				}
			}
		}
	}
}

// Between backticks in sentences, a command of keyhole has a name and flags that exist.
func TestInlineCommandsExist(t *testing.T) {
	t.Parallel()
	help := helps(t, buildKeyhole(t))
	flag := regexp.MustCompile(`--([a-z][a-z0-9-]*)`)
	checked := 0
	for _, source := range markdown(t) {
		for _, code := range inlineCode(file(t, source)) {
			words, is := strings.CutPrefix(code, "keyhole ")
			if !is || strings.HasPrefix(words, "COMMAND") {
				continue
			}
			checked++
			command := "keyhole"
			for _, word := range strings.Fields(words) {
				if _, known := help[command+" "+word]; !known {
					break
				}
				command += " " + word
			}
			if command == "keyhole" {
				t.Errorf("%s: there is no such command: %s", source, code)
			}
			for _, name := range flag.FindAllStringSubmatch(words, -1) {
				if !regexp.MustCompile(`--` + name[1] + `\b`).MatchString(help[command]) {
					t.Errorf("%s: %s has no flag --%s: %s", source, command, name[1], code)
				}
			}
		}
	}
	if checked < 50 {
		t.Errorf("%d commands stand between backticks: they are not found", checked)
	}
}
