// Package pagetest reads rendered pages in tests, by element and not by substring.
//
// [Parse] parses a page, and [Elements] and [One] find its elements. [WantConfined] checks
// that a page loads and runs nothing but the assets of the pages.
package pagetest
