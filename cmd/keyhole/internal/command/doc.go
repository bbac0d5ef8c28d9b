// Package command has what all commands of keyhole share: their environment, their
// errors with hints and exit codes, and the identity of the build.
package command
