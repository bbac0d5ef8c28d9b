// Package pages renders the pages for recipients: refusals and confirmation pages, in the
// languages of catalogues/.
//
// A [Renderer] holds a [Locale] for each language that the configuration offers, and the
// assets that all pages load. A Locale turns a view ([Refusal] or [Confirmation]) into
// HTML. The package does no I/O and does not depend on HTTP handlers or a store. Pages
// load only the assets, run only the embedded script, and send a form only when the
// recipient presses the button. [Policy] returns the Content-Security-Policy with which
// browsers enforce what pages may load.
package pages
