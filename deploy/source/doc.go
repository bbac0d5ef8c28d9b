// Command source reads the Go source of a tree and reports on it. deploy/measures,
// deploy/imports and deploy/words call it. It reads the files with go/parser and needs no
// build, so that it works for any commit.
//
// The reports are:
//
//   - measures: a Markdown table of the packages. "Lines" are those of code, without tests
//     and with blank lines and comments. The length of a function is that of its
//     declaration. p50 and p90 are the lengths that 50 and 90 % of the functions do not
//     exceed. "Comments" is the share of lines that contain only a comment.
//   - imports: the graph of imports between the packages, in the layers of
//     deploy/layers.list. The check includes the imports of tests.
//   - words: the declared names that have an old word of deploy/words.list.
//
// A report prints its result to standard output. The exit status is 1 if a check fails or
// if the source cannot be read.
package main
