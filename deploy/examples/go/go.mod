module example.com/share

go 1.26.6

require keyhole v0.0.0

// Keyhole is not published under a public path: check it out, and name its directory.
replace keyhole => ../../..
