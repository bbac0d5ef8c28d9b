// Package addresses decides how much of a client's address Keyhole records: all of it, its
// network, a hash that changes daily, or nothing.
//
// Events and log lines hold only what [Policy.Format] returns. The same policy applies to
// recipients and operators.
package addresses
