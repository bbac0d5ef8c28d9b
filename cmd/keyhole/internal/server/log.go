package server

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"keyhole/cmd/keyhole/internal/command"
	"keyhole/cmd/keyhole/internal/logwriter"
	"keyhole/config"
)

// logTimeout is how long the last lines of the log may take. A reader that hangs must not
// keep the process from ending.
const logTimeout = 500 * time.Millisecond

// Log is the log of a server. A slow reader of the log delays no request.
type Log struct {
	*slog.Logger

	lines *logwriter.Writer
}

// NewLog returns a log in the format and of the level that the configuration asks
// for. Its lines are written to w in the background.
func NewLog(c config.Log, w io.Writer) *Log {
	lines := logwriter.New(w, func(lost uint64) []byte {
		var line bytes.Buffer
		// As an error, every level shows it.
		newLogger(c, &line).Error("log lines were dropped because the log was not read fast enough", "lines", lost)
		return line.Bytes()
	})
	return &Log{Logger: newLogger(c, lines), lines: lines}
}

// register registers the counter of dropped lines.
func (l *Log) register(registry prometheus.Registerer) {
	registry.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{
		Namespace: "keyhole", Name: "log_lines_dropped_total",
		Help: "Lines of the log that were dropped because the log was not read fast enough or could not be written.",
	}, func() float64 { return float64(l.lines.Dropped()) }))
}

// Close writes the last lines of a command that ends with err, and returns err. If
// nobody reads the log, err is marked as one that must not be printed there too.
func (l *Log) Close(err error) error {
	ctx, cancel := context.WithTimeout(context.Background(), logTimeout)
	defer cancel()
	if l.lines.Close(ctx) != nil && err != nil {
		return &command.Unprinted{Err: err}
	}
	return err
}

// newLogger returns a logger that writes each line at once. The keys and messages of the lines
// are constants, so that they can be searched for.
func newLogger(c config.Log, w io.Writer) *slog.Logger {
	var level slog.Level
	if err := level.UnmarshalText([]byte(c.Level)); err != nil {
		level = slog.LevelInfo // config refused everything else before
	}
	options := &slog.HandlerOptions{Level: level}
	if c.Format == "text" {
		return slog.New(slog.NewTextHandler(w, options))
	}
	return slog.New(slog.NewJSONHandler(w, options))
}
