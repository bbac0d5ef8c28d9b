// Package httpapi is what Keyhole answers over HTTP: the public listener for
// recipients, the operator listener with the API, and health and metrics. Every
// operator's route stands in routes.go, and every error of theirs becomes a
// response in errors.go; recipients are refused in pages.go.
package httpapi
