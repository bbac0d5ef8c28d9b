// Package listen has HTTP listeners that shut down without resetting connections.
// They limit their connections and spare the work that net/http does for each request
// beyond the request. The package knows no configuration.
package listen
