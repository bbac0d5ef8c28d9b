// Package redistest starts real Redis servers for tests: a single server, a cluster of six,
// or a master and a replica with three sentinels.
//
// The servers listen on free ports of the loopback interface, keep their files in a
// temporary directory and end with the test. They use the configuration and the user that
// deploy/redis ships. So a test fails if the shipped user lacks a command.
//
// A Proxy between the store and a server simulates the faults of a network.
package redistest
