package setup

import (
	"fmt"
	"net/netip"
	"net/url"
	"path/filepath"
	"strings"

	"keyhole/cmd/keyhole/internal/cli/term"
	"keyhole/cmd/keyhole/internal/command"
	"keyhole/cmd/keyhole/internal/localredis"
	"keyhole/config"
)

// report says what was written, what the service will do, and the next two commands.
func (a *answers) report(env *command.Env, redis localredis.Program, before, name string) {
	fmt.Fprintf(env.Stderr, `Wrote into %s, readable only by you:
  %-21s the configuration
  %-21s your operator key
  %-21s the secret of the storage
`, term.Plain(a.directory), configFile, keyFile, secretFile)
	fmt.Fprintf(env.Stderr, "Storage  %s\n", a.storageText())
	fmt.Fprintf(env.Stderr, "Redis    %s\n", a.redisText(redis))
	fmt.Fprintf(env.Stderr, "Links    %s\n", a.linksText())
	fmt.Fprintf(env.Stderr, "Context  %s, now the current one", name)
	if before != "" {
		fmt.Fprintf(env.Stderr, " (before: %s)", before)
	}
	fmt.Fprintln(env.Stderr)
	if bucket := a.bucketInEndpoint(); bucket != "" {
		fmt.Fprintf(env.Stderr, "note: the host of the endpoint begins with %s; if it is the address of this bucket, "+
			"correct endpoint in %s to the address of the server\n", bucket, configFile)
	}
	fmt.Fprintf(env.Stderr, "\n%s:\n", a.nextText())
	// Only the commands go to standard output, so that a script can run them.
	start, share := a.next()
	if sudo := env.Getenv("SUDO_USER") != ""; sudo && a.directory == packageDirectory {
		// The files belong to root, and the user's shell does not.
		start, share = "sudo sh -c "+term.ShellWord(start), "sudo "+share
	}
	fmt.Fprintf(env.Stdout, "%s\n%s\n", start, share)
}

// storageText names the storage, so that a variable that was forgotten is noticed.
func (a *answers) storageText() string {
	server, region := a.endpoint, a.region
	if server == "" {
		server = "AWS"
		if a.noRegion {
			region += " (assumed; name another one with --region)"
		}
	}
	noun := "bucket"
	if len(a.buckets) > 1 {
		noun = "buckets"
	}
	return term.Plain(fmt.Sprintf("%s, region %s, %s %s", server, region, noun, strings.Join(a.buckets, ", ")))
}

// redisText says which Redis the service uses. An old redis-server is named, because a user
// who has one installed expects its use.
func (a *answers) redisText(redis localredis.Program) string {
	if a.local {
		return term.Plain(fmt.Sprintf("%s %s, which the service starts (redis.mode: local); data in %s",
			redis.Name, redis.Version, a.redisDirectory()))
	}
	return term.Plain(a.noRedis + "; the service uses the Redis at 127.0.0.1:6379 (redis.mode: single): " +
		"start one there, or change redis.addresses")
}

// linksText says who can open links, and what has to be done for a URL that leads to a
// port on which the service does not listen.
func (a *answers) linksText() string {
	u, err := url.Parse(a.publicURL)
	if err != nil {
		return a.publicURL
	}
	host, err := netip.ParseAddr(u.Hostname())
	switch {
	case err == nil && host.IsLoopback(), u.Hostname() == "localhost":
		return a.publicURL + ", for this machine only; set public.url before you share with others"
	case u.Scheme == "https" || u.Port() == "":
		// Neither a certificate nor a proxy is known here, so the user has to choose.
		return fmt.Sprintf("%s; the service listens on port %s: set public.tls and public.listen, or let a proxy "+
			"forward to it", a.publicURL, strings.TrimPrefix(config.Default().Public.Listen, ":"))
	}
	return a.publicURL
}

// nextText introduces the next commands.
func (a *answers) nextText() string {
	if a.directory == packageDirectory {
		return "Next: let the user of the service read its files, start it, and share an object"
	}
	return "Next, and the second command in another terminal"
}

// next returns the commands that start the service and share an object. In the directory of
// the packages, systemd starts the service as the user keyhole, who needs the configuration
// and the secret, but not the operator key.
func (a *answers) next() (start, share string) {
	share = "keyhole share " + term.ShellWord("s3://"+a.buckets[0]+"/KEY")
	if a.directory != packageDirectory {
		return "keyhole serve --config " + term.ShellWord(filepath.Join(a.directory, configFile)), share
	}
	return fmt.Sprintf("cd %s && chgrp keyhole %s %s && chmod 640 %[2]s %[3]s && systemctl enable --now keyhole",
		packageDirectory, configFile, secretFile), share
}
