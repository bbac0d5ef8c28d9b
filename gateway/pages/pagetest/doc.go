// Package pagetest reads rendered pages in tests, by element and not by substring.
//
// [Parse] parses a page, and [Elements] and [One] find its elements. [WantStatic] checks that
// a page loads no resources and has no scripts.
package pagetest
