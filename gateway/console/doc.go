// Package console serves the pages for operators: they find an object, share it, watch the
// link and revoke it.
//
// Every page works without JavaScript. A page is a typed view that a template of the
// directory templates renders into the layout. The package has no rules of its own: it asks
// the same gateway.Service as the API, and shows the same refusals beside the fields that
// they are about.
//
// A request passes through the middleware in this order:
//
//   - nameRequest gives the request the name that the log and error pages show.
//   - logRequest recovers panics, has writeError answer errors, logs and counts.
//   - secureHeaders sets the headers that refusals need as much as pages do.
//   - checkHost refuses foreign names of this listener.
//   - boundTime sets the deadline of everything that follows.
//   - findOperatorOfError finds the operator of a request for an unknown address.
//   - checkOrigin, for changes only, refuses requests of other sites.
//   - requireSession finds the operator. Only a few routes work without a session.
//
// The handler then reads the query or the form, asks the service, fills in a view and calls
// render. A change that succeeds ends with a redirect to a page, unless its result is shown
// only once, such as the URL of a new link.
//
// routes.go has every route. Read console.go, routes.go and middleware.go first; each page
// has a file of its own:
//
//   - signin.go, signinevents.go, onetime.go, welcome.go: the sign-in, and what follows it
//   - objects.go: buckets, folders and objects
//   - share.go, shared.go, selection.go, lives.go: forms that issue links, and their results
//   - links.go, link.go, linkchange.go, linkfacts.go, chart.go: the list, and one link
//   - paths.go, longname.go: paths and names of objects
//   - revocations.go, bulkpause.go: changes of several links
//   - audit.go, eventwords.go: the audit
//   - export.go, csv.go: lists as files
//   - health.go: the checks of the installation
//   - render.go, compress.go, static.go, form.go, words.go, theme.go: parts of every page
//   - errors.go, metrics.go: pages about errors, and the counter of requests
package console
