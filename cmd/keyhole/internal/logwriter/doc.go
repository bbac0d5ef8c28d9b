// Package logwriter writes a log in the background, so that no request waits for the
// reader of the log.
package logwriter
