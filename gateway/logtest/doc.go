// Package logtest collects what a service logs, or a program prints, while a test reads it.
package logtest
