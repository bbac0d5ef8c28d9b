// Package httpapi is what Keyhole answers over HTTP: the public listener for
// recipients, the operator listener with the API, and health and metrics. Every
// route stands in routes.go; every error becomes a response in errors.go.
package httpapi
