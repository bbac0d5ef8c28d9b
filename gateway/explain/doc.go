// Package explain says in words what a link is: its expiry, sensitivity, pin and
// restrictions. The commands use it; a console can use the same words. It is pure.
package explain
