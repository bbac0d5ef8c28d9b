// Package pages renders the pages for recipients: refusals and confirmation pages.
//
// A [Renderer] turns a view ([Refusal] or [Confirmation]) into bytes, with the texts of
// [Messages]. The package does no I/O and knows no HTTP handler and no store. Pages load
// no resources, run no scripts and have no links; [Renderer.Policy] returns the
// Content-Security-Policy that enforces this in browsers.
package pages
