// Package storetest opens stores for the tests of packages that use one. A test that needs
// a store which holds links takes this one, and not a copy of its rules in memory: such a
// copy does not pass the contract in gateway/redisstore.
package storetest
