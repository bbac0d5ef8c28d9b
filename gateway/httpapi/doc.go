// Package httpapi has the HTTP handlers of all listeners: links for recipients, the API for
// operators, and health and metrics for probes.
//
// Read routes.go first: it has the table of all routes. click.go answers requests for
// links. errors.go has the only function that turns an error into a response. [Options]
// lists the parts that the handlers need. Package admission admits operators, and package
// pages renders the pages for recipients.
package httpapi
