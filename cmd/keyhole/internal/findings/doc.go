// Package findings holds and prints the results of keyhole doctor. The checks of an
// installation and the checks of a client use it.
package findings
