// Package explain describes links in words: their expiry, sensitivity, pin and
// restrictions. The commands use it, and a console can use the same words. It does no I/O.
package explain
