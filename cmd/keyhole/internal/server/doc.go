// Package server wires a gateway: Redis, storages, listeners and metrics. New makes a
// server of a configuration, Start starts it, Reload applies a changed configuration and
// Stop stops it. Several servers fit into one process. NewCommand is keyhole serve.
package server
