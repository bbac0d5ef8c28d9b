// Package cli has the commands of operators. They talk to a running service through
// gateway/client and never import the server. Each command has a file; Run runs one and
// explains its error.
package cli
