// Package system tests Keyhole as its users run it: the real binary, one or several
// gateways, over real Redis, S3 servers, shells and browsers. Its tests stop, kill and
// overload these parts. They have the build tag "system", because they take minutes:
//
//	go test -tags system ./cmd/keyhole/internal/system -run TestScripts
//
// deploy/test installs what they need and runs them. TestMain builds the binary once.
package system
