// Package pages renders the pages for recipients: refusals and confirmation pages.
//
// The package is pure. A [Renderer] turns a view, a struct for each kind of page, into
// bytes, and uses the [Messages] of its options as texts. It knows no HTTP handler and no
// store. Pages load nothing, run no script and link nowhere; [Renderer.Policy] is the
// Content-Security-Policy that holds browsers to that.
package pages
