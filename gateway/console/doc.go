// Package console serves the pages for operators: they find an object, share it, watch the
// link and revoke it.
//
// Every page works without JavaScript. A page is a typed view that a template of the
// directory templates renders into the layout. The package has no rules of its own: it asks
// the same gateway.Service as the API, and shows the same refusals beside the fields that
// they are about.
//
// routes.go has every route. Read console.go, routes.go and middleware.go first; each page
// has a file of its own.
package console
