// Package preview is the command that writes the recipients' pages as HTML files, so that
// operators see their branding without a link, a service, Redis or a storage.
package preview
