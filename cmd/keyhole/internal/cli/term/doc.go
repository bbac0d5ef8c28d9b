// Package term prints for people at terminals: tables, questions, progress and QR
// codes. It escapes text of other people, because a terminal obeys control characters.
package term
