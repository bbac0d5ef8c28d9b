package localredis

import (
	"bytes"
	"cmp"
	"context"
	"log/slog"
	"regexp"
	"strings"
	"sync"
)

// redisLine matches a line in the log of Redis: process and role, time, level, message.
var redisLine = regexp.MustCompile(`^\d+:[A-Z] \d+ \w+ \d+ [\d:.]+ ([.*#-]) (.*)$`)

// output writes the lines of Redis into the log of the service, and remembers why Redis
// ended.
type output struct {
	log   *slog.Logger
	quiet bool // see Options.Quiet

	mu      sync.Mutex
	rest    []byte // a line without its end
	damage  string // what Redis says about a file that it cannot load
	newer   string // what Redis says about a file of a newer version
	full    bool   // the disk is full
	mistake string // the last warning, routine texts only if there is no other
	refused string // the directive that Redis refuses; set since fatalText
}

// maxOutputLine is the longest line that is kept, in bytes.
const maxOutputLine = 8 << 10

// Write implements io.Writer. It never fails: Redis must not block on its log.
func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.rest = append(o.rest, p...)
	for {
		line, rest, found := bytes.Cut(o.rest, []byte("\n"))
		if !found {
			break
		}
		o.line(strings.TrimSpace(string(line[:min(len(line), maxOutputLine)])))
		o.rest = rest
	}
	if len(o.rest) > maxOutputLine {
		o.rest = nil
	}
	return len(p), nil
}

// damageTexts are in the messages with which Redis refuses to load a file.
var damageTexts = regexp.MustCompile(`(?i)bad file format reading|wrong rdb checksum|unrecoverable error|` +
	`unexpected end of file|format error reading|error reading the append only file|` +
	`corrupt|manifest|terminating server after rdb|unknown command .* reading the append only file`)

// newerText begins the message about a file that a newer version has written.
const newerText = "Can't handle RDB format version"

// routineTexts begin the messages of every start and stop, which Redis 7.0 writes as warnings.
var routineTexts = regexp.MustCompile(`^(oO0OoO0OoO0Oo |(Redis|Valkey) version=|Reading config from stdin|` +
	`Configuration loaded|Server initialized|User requested shutdown|(Redis|Valkey) is now ready to exit)`)

// fatalText begins a message of several lines without a time: the number of a line, the
// directive after ">>> ", and what is wrong with it.
const fatalText = "*** FATAL CONFIG FILE ERROR"

// line handles one line.
func (o *output) line(text string) {
	if text == "" {
		return
	}
	level, message := slog.LevelInfo, text
	if found := redisLine.FindStringSubmatch(text); found != nil {
		level, message = map[string]slog.Level{
			".": slog.LevelDebug, "-": slog.LevelDebug, "*": slog.LevelInfo, "#": slog.LevelWarn,
		}[found[1]], found[2]
	}
	directive, isDirective := strings.CutPrefix(text, ">>> ")
	switch {
	case strings.HasPrefix(text, fatalText):
		level, o.refused = slog.LevelWarn, "the configuration"
	case o.refused != "" && isDirective:
		level, o.refused = slog.LevelWarn, directive
	case o.refused != "":
		level, o.mistake = slog.LevelWarn, o.refused+": "+message
	case level == slog.LevelWarn && routineTexts.MatchString(message):
		level = slog.LevelInfo
		o.mistake = cmp.Or(o.mistake, message) // better than no reason
	case level == slog.LevelWarn:
		o.mistake = message
		if o.damage == "" && damageTexts.MatchString(message) {
			o.damage = message
		}
		if strings.HasPrefix(message, newerText) {
			o.newer = message
		}
		// The first write that does not fit is written in part, and Redis names no reason.
		o.full = o.full || strings.Contains(message, "No space left on device") ||
			strings.Contains(message, "Short write while writing to the AOF file")
	}
	if o.quiet {
		level = min(level, slog.LevelInfo)
	}
	o.log.Log(context.Background(), level, "redis-server", "message", message)
}

// ending is what the output says about the end of the process.
type ending struct {
	damage, newer, mistake string
	full                   bool
}

// ending returns what is known.
func (o *output) ending() ending {
	o.mu.Lock()
	defer o.mu.Unlock()
	return ending{damage: o.damage, newer: o.newer, mistake: o.mistake, full: o.full}
}
