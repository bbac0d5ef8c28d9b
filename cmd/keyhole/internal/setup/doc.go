// Package setup is keyhole init, which writes the first configuration of a service and
// gives its user access to it.
package setup
