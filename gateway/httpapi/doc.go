// Package httpapi has the HTTP handlers of all listeners: links for recipients, the API for
// operators, and health and metrics for probes.
//
// routes.go has the table of all routes, click.go the request for a link, and errors.go the
// only function that turns an error into a response. The package admits operators by
// package admission and renders pages for recipients by package pages.
package httpapi
