// Command source reads the Go source of a tree and reports on it: measures of the
// packages, the graph of their imports, and identifiers with words that the project
// no longer uses. deploy/measures, deploy/imports and deploy/words call it. It reads
// the files with go/parser and needs no build, so that it works for any commit.
package main
