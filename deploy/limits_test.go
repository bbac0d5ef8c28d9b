package deploy_test

import (
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// limit says where a number of the table "Timeouts and limits" comes from.
type limit struct{ row, value, pkg, constant string }

// limits are the numbers that constants of the code define.
func limits() []limit {
	const commands = "../cmd/keyhole/internal/"
	return []limit{
		{"stalled answer", "5s", commands + "listen", "stalledAfter"},
		{"stalled answer", "10s", commands + "listen", "operatorsStalledAfter"},
		{"header of a request", "10s", commands + "listen", "readHeaderTimeout"},
		{"whole request", "30s", commands + "listen", "readTimeout"},
		{"answer", "90s", commands + "listen", "WriteTimeout"},
		{"connection of an operator without a request", "2m", commands + "listen", "DefaultIdleTimeout"},
		{"requests at the same time on one connection of HTTP/2", "100", commands + "listen", "maxStreams"},
		{"connections of one address (IPv6: one /64)", "32", commands + "listen", "minShare"},
		{"connections of operators, and of metrics", "1000", commands + "listen", "operatorConnections"},
		{"connections of operators, and of metrics", "16", commands + "listen", "operatorsPartOfFew"},
		{"connection of HTTP/2 that takes no byte", "30s", commands + "listen", "writeByteTimeout"},
		{"wait for the hash of a passphrase", "3s", "../gateway", "maxHashWait"},
		{"unknown links from one network", "60", "../gateway", "maxMisses"},
		{"wrong operator keys from one network", "30", "../gateway", "MaxKeyFailures"},
		{"body of an operator's request", "1 MiB", "../gateway/httpapi", "maxBody"},
		{"body of an operator's request", "4 MiB", "../gateway/httpapi", "maxBatchBody"},
		{"body of an operator's request", "512 KiB", "../gateway/console", "maxForm"},
		{"body of an operator's request", "4096", "../gateway/httpapi", "maxForm"},
		{"reply of Redis", "1 MiB", "../gateway/redisstore", "maxBulk"},
		{"reply of Redis", "65536", "../gateway/redisstore", "maxElements"},
		{"reply of Redis", "8", "../gateway/redisstore", "maxDepth"},
		{"check of Redis", "5s", commands + "server", "redisCheck"},
		{"check of a storage", "1m", commands + "server", "storageCheck"},
		{"wrong passphrases of one link", "15m", "../gateway/redisstore", "attemptsWindow"},
		{"wrong passphrases of one link", "10", "../gateway/redisstore", "attemptsPerLink"},
		{"wrong passphrases of one link", "5", "../gateway/redisstore", "attemptsPerClient"},
		{"wrong passphrases of one link", "1m", "../gateway/redisstore", "attemptsPause"},
		{"recorded refusals of one link from one network", "60", "../gateway", "maxRefusals"},
		{"sign-ins at the identity provider from one network", "60", "../gateway/admission", "maxBegun"},
		{"sign-ins at the identity provider from one network", "10m", "../gateway/admission", "SignInLife"},
		{"export of the console", "10000", "../gateway/console", "exportLimit"},
		{"one call of a bulk revocation", "2s", "../gateway", "bulkBudget"},
		{"one call of a bulk revocation", "15s", "../gateway", "bulkSearchBudget"},
		{"one call of an erasure", "2s", "../gateway", "eraseBudget"},
		{
			"repetition of an issue with the same `Idempotency-Key`", "24h",
			"../gateway/redisstore", "reservedFor",
		},
		{"repetition of an issue with the same `Idempotency-Key`", "30m", "../gateway", "maxReissueAge"},
		{"unwritten log", "1 MiB", commands + "logwriter", "maxUnwritten"},
		{"changed configuration", "1s", commands + "server", "reloadInterval"},
		{"use of the audit in the metrics", "1m", commands + "server", "auditUsageLife"},
		{"check on the page Health", "30s", "../gateway/console", "healthTimeout"},
		{"keys of the identity provider", "5s", "../gateway/identity", "fetchTimeout"},
		{"credentials of a storage from another source", "10s", "../signer", "fetchTimeout"},
		{"request to the certificate authority", "30s", commands + "server", "acmeTimeout"},
		{"whole order of a certificate", "5m", commands + "acme", "orderTimeout"},
		{"order of a gateway that crashed", "1m", commands + "acme", "leaseLife"},
		{"pause after a failed order", "5s", commands + "acme", "firstUnreachablePause"},
		{"pause after a failed order", "5m", commands + "acme", "maxUnreachablePause"},
		{"pause after a failed order", "2m", commands + "acme", "firstRefusedPause"},
		{"pause after a failed order", "1h", commands + "acme", "maxRefusedPause"},
		{"pause after a failed order", "24h", commands + "acme", "maxRetryAfter"},
		{"reads of challenges", "250ms", commands + "acme", "challengeRound"},
		{"SIGTERM: rest of a request", "2s", commands + "listen", "requestsTimeout"},
		{"SIGTERM: running requests", "4s", commands + "listen", "InterruptAfter"},
		{"SIGTERM: running requests", "4.5s", commands + "listen", "answersTimeout"},
		{"SIGTERM: all steps", "1s", commands + "server", "DrainTime"},
		{"SIGTERM: all steps", "5.5s", commands + "server", "stopTimeout"},
		{"SIGTERM: last lines of the log", "500ms", commands + "server", "logTimeout"},
	}
}

// The table of the manual has the numbers of the code and the defaults of the configuration.
func TestTimeoutsAndLimits(t *testing.T) {
	t.Parallel()
	rows := limitRows(t)
	for _, l := range limits() {
		if !regexp.MustCompile(`(^|\s)` + regexp.QuoteMeta(l.value) + `\b`).MatchString(rows[l.row]) {
			t.Errorf("the row %q does not say %s: %s", l.row, l.value, rows[l.row])
		}
		if got, want := constant(t, l.pkg, l.constant), number(t, l.value); got != want {
			t.Errorf("%s is %d, the row %q says %s", l.constant, got, l.row, l.value)
		}
	}
	page, err := os.ReadFile("docs/run/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	for row, options := range map[string]map[string]string{
		"connections of recipients":    {"public.max_connections": "20,000"},
		"connection without a request": {"public.idle_timeout": "10m20s"},
		"command of Redis":             {"redis.timeout": "500ms"},
		"all requests of operators":    {"operator.requests_per_minute": "120,000"},
		"session of the console":       {"console.idle": "30m", "console.max": "12h"},
		"presigned URL":                {"redirect.lifetime": "30s"},
		"resumed download":             {"redirect.resume_window": "10m"},

		"result of a check of a pinned object": {"redirect.object_check": "5s"},
	} {
		for option, value := range options {
			// Tests of package config compare that page with the defaults.
			is := regexp.MustCompile("(?m)^\\| `" + regexp.QuoteMeta(option) + "` \\| [^|]* \\| `" +
				strings.ReplaceAll(value, ",", "") + "` ")
			if !is.Match(page) || !strings.Contains(rows[row], "`"+option+"` ("+value+")") {
				t.Errorf("the row %q does not have the default of %s: %s", row, option, rows[row])
			}
		}
	}
}

// limitRows returns the values of the table by limit.
func limitRows(t *testing.T) map[string]string {
	t.Helper()
	page, err := os.ReadFile("docs/run/operate.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, found := strings.Cut(string(page), "## Timeouts and limits\n")
	if !found {
		t.Fatal("the manual has no table of timeouts and limits")
	}
	table, _, _ = strings.Cut(table, "\n## ")
	rows := map[string]string{}
	for line := range strings.SplitSeq(table, "\n") {
		if cells := strings.Split(line, " | "); len(cells) == 3 {
			rows[strings.TrimPrefix(cells[0], "| ")] = cells[1]
		}
	}
	return rows
}

// constant returns a constant of the package in a directory: a number, which may be a shift, or
// a duration in nanoseconds.
func constant(t *testing.T, directory, name string) int64 {
	t.Helper()
	definition := regexp.MustCompile(`(?m)^(?:const )?\s*` + name + `\s+= (?:(\d+) \* )?` +
		`(?:time\.(\w+)|([\d_]+)(?: << (\d+))?)(?: +//.*)?$`)
	var all [][]string
	for _, file := range glob(t, directory+"/*.go") {
		if !strings.HasSuffix(file, "_test.go") {
			all = append(all, definition.FindAllStringSubmatch(string(read(t, file)), -1)...)
		}
	}
	if len(all) != 1 {
		t.Errorf("%s defines %s %d times as a plain number or duration, want once", directory, name, len(all))
		return 0
	}
	found := all[0]
	if found[4] != "" {
		return number(t, found[3]) << number(t, found[4])
	}
	if found[3] != "" {
		return number(t, found[3])
	}
	unit, known := map[string]time.Duration{
		"Millisecond": time.Millisecond, "Second": time.Second, "Minute": time.Minute, "Hour": time.Hour,
	}[found[2]]
	if !known {
		t.Errorf("%s: the unit of %s is %s", directory, name, found[2])
	}
	if found[1] == "" {
		return int64(unit)
	}
	return number(t, found[1]) * int64(unit)
}

// number reads a number, a size in KiB or MiB, or a duration.
func number(t *testing.T, text string) int64 {
	t.Helper()
	for unit, bytes := range map[string]int64{" KiB": 1 << 10, " MiB": 1 << 20} {
		if amount, found := strings.CutSuffix(text, unit); found {
			return number(t, amount) * bytes
		}
	}
	if n, err := strconv.ParseInt(text, 0, 64); err == nil {
		return n
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		t.Error(err)
	}
	return int64(d)
}
