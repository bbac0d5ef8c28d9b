// Package localredis starts and supervises the redis-server of an installation on one
// machine. Redis listens only on a Unix socket in a directory that belongs to the service,
// and every acknowledged change is on the disk of that directory.
//
// Nobody but the user of the service, and root, may enter the directory. Whoever can open
// the socket can also read the data, so a password would protect nothing: the user keyhole
// has none. It has only the rights of deploy/redis/users.acl.
package localredis
