// Package request reads from an HTTP request what every listener needs to know about it:
// the address of its client, its name for the log, and whether its end is ambiguous.
package request
