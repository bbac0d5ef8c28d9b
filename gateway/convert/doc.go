// Package convert converts the types of the domain to those of the operator API, and codes
// of errors to statuses of HTTP. The API, the console and exports use it, so that all of
// them show the same. It is pure.
//
// Times are in UTC. What a storage does not report and what a link does not have is nil.
// Lists and maps are never nil, because clients must find [] and {} instead of null.
package convert
