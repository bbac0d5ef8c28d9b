// Package findings has the results of the checks of keyhole doctor, and prints them. The
// checks of an installation and those of a client share it.
package findings
