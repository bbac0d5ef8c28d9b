// Package pages renders the pages for recipients: refusals and confirmation pages, in the
// languages of catalogues/.
//
// A [Renderer] holds a [Locale] for each language that the configuration offers, and the
// assets that all pages load. A Locale turns a view ([Refusal] or [Confirmation]) into
// HTML. The package does no I/O and knows no HTTP handler and no store. Pages load only
// the assets, run only the script among them, and never send a form by themselves;
// [Policy] returns the Content-Security-Policy that enforces this in browsers.
package pages
