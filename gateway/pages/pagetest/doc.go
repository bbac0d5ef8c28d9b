// Package pagetest reads rendered pages in tests, by element and not by substring. [Parse]
// parses a page; the other functions find elements and check properties of every page.
package pagetest
