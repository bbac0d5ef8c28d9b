package localredis

import (
	_ "embed"
	"strconv"
	"strings"
)

// The user of the service. Redis accepts any password of a user without one, and a client
// sends the name only together with a password.
const (
	Username = "keyhole"
	Password = "none"
)

// acl is a copy of deploy/redis/users.acl, because a file can be embedded only from below
// its package. A test compares both.
//
//go:embed users.acl
var acl string

// In acl, these stand for the password and for the keys of the service.
const (
	aclPassword = "#0000000000000000000000000000000000000000000000000000000000000000"
	aclPrefix   = "~keyhole:*"
)

// settings are the directives of Redis, besides those that depend on the installation.
//
// Redis writes and syncs each change before it answers, so a crash loses nothing that was
// acknowledged. It drops a command at the end of the file that was written in part; check
// has made sure that there is nothing else behind it. A report of a crash would contain
// the arguments of the command that ran, so there is none.
const settings = `
port 0
unixsocketperm 700
daemonize no
supervised no
loglevel notice
logfile ""
crash-log-enabled no
crash-memcheck-enabled no
appendonly yes
appendfsync always
no-appendfsync-on-rewrite no
aof-load-truncated yes
aof-use-rdb-preamble yes
save ""
maxmemory-policy noeviction
hz 100
shutdown-timeout 2
`

// configuration returns the whole configuration of Redis, which reads it from its
// standard input. No file of it can then be out of date.
func configuration(o *Options) string {
	users := strings.Replace(acl, aclPassword, "nopass", 1)
	users = strings.TrimSpace(strings.Replace(users, aclPrefix, "~"+o.Prefix+":*", 1))
	for _, command := range o.Commands {
		users += " +" + command // The user of the service is the last one.
	}
	installation := "dir " + quoted(o.Directory) + "\nunixsocket " + quoted(Socket(o.Directory)) +
		"\nmaxmemory " + strconv.FormatInt(o.maxMemory(), 10)
	return installation + settings + users + "\n"
}

// unknownMemory is the limit if the memory of the machine is unknown, in bytes: about a
// million links.
const unknownMemory = 1 << 30

// maxMemory returns the memory for data in bytes. Without a limit, the kernel would end
// Redis or the service when the memory is used up, instead of Redis refusing writes. The
// default is a third of the memory: Redis can need twice as much while it rewrites its file,
// and the service needs some too.
func (o *Options) maxMemory() int64 {
	if o.MaxMemory > 0 {
		return o.MaxMemory
	}
	if all := memory("/"); all > 0 {
		return all / 3
	}
	return unknownMemory
}

// quoted returns a text as one argument of a directive.
func quoted(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}
