package cli

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"keyhole/cmd/keyhole/internal/command"
	"keyhole/config"
)

// unknownCommand returns the error of a mistyped command, with the nearest command. The
// hint proposes only one command: a list would repeat --help.
func unknownCommand(cmd *cobra.Command, args []string) error {
	hint := "see: " + cmd.CommandPath() + " --help"
	if near := nearCommand(cmd, args); near != "" {
		hint = "did you mean: " + cmd.CommandPath() + " " + near
	}
	return command.Usage(fmt.Sprintf("unknown command %q", args[0]), hint)
}

// nearCommand returns the command below cmd that the user probably meant, or "". Words of
// other tools take precedence over similar names: the nearest name of get, for example, is
// key. For an empty word, which comes from an unset variable in a script, nearCommand
// returns ""; cobra would propose the first command.
func nearCommand(cmd *cobra.Command, args []string) string {
	name := strings.ToLower(args[0])
	var names []string
	for _, sub := range cmd.Commands() {
		names = append(names, sub.Name())
	}
	// An s3:// URL means that the word is about an object, not about a link.
	if len(args) > 1 && strings.HasPrefix(args[1], "s3://") {
		if meant := wordsForObjects()[name]; slices.Contains(names, meant) {
			return meant
		}
	}
	// These words are exact, so they go before names that are only similar.
	for _, sub := range cmd.Commands() {
		if slices.Contains(sub.SuggestFor, name) {
			return sub.Name()
		}
	}
	if meant := wordsOfOthers()[name]; slices.Contains(names, meant) {
		return meant
	}
	if meant := wordsOfPaths()[name]; len(meant) > 0 && slices.Contains(names, strings.Fields(meant[0])[0]) {
		return strings.Join(meant, " or "+cmd.CommandPath()+" ")
	}
	if near := config.Nearest(name, names); near != "" {
		return near
	}
	// cobra also accepts names that differ in two letters of a short word.
	if similar := cmd.SuggestionsFor(name); name != "" && len(similar) > 0 {
		return similar[0]
	}
	return ""
}

// wordsForObjects returns the commands for the words that other tools use with s3:// URLs,
// such as aws s3 ls s3://BUCKET and s3cmd get.
func wordsForObjects() map[string]string {
	return map[string]string{
		"ls": "objects", "dir": "objects", "get": "share", "cp": "share", "copy": "share", "download": "share",
		"mv": "share", "show": "share",
	}
}

// wordsOfOthers returns the commands for words of other tools. SuggestFor of a command has
// the words that it shares with no other command.
func wordsOfOthers() map[string]string {
	return map[string]string{
		"url": "share", "presign": "share", "signurl": "share", "send": "share", "upload": "share", "put": "share",
		"link": "share", "generate": "share", "del": "revoke", "destroy": "revoke", "unshare": "revoke", "expire": "revoke",
		"disable": "revoke", "stat": "show", "status": "health", "ping": "health", "log": "audit", "logs": "audit",
		"history": "events", "users": "key", "whoami": "key", "token": "key", "tokens": "key", "config": "context",
		"stop": "revoke", "end": "revoke", "kill": "revoke", "terminate": "revoke", "who": "audit",
		// These commands exist only if the caller of NewRoot adds them; nearCommand checks it.
		"start": "serve", "run": "serve", "server": "serve", "test": "doctor",
	}
}

// wordsOfPaths returns the commands below the root for words of other tools that mean a
// command of a group, or one of several commands.
func wordsOfPaths() map[string][]string {
	why := []string{"show", "events"}
	return map[string][]string{
		"login": {"context add"}, "setup": {"context add"}, "init": {"context add"}, "connect": {"context add"},
		"explain": why, "why": why, "reference": why, "reason": why, "erase": {"audit erase"}, "forget": {"audit erase"},
	}
}

// hintForFlag returns the hint for an error in a flag. For an unknown flag, this is the flag
// that the user probably meant. Other errors name their flag.
func hintForFlag(cmd *cobra.Command, what string) string {
	help := "see: " + cmd.CommandPath() + " --help"
	unknown, is := strings.CutPrefix(what, "unknown flag: --")
	if !is {
		// A shorthand, such as -o: unknown shorthand flag: 'o' in -o.
		if _, short, found := strings.Cut(what, "unknown shorthand flag: '"); found {
			return nearFlags(cmd, shorthands()[short[:1]], help)
		}
		return help
	}
	// pflag has cut the value off; a later version may not, and a value may be secret.
	unknown, _, _ = strings.Cut(unknown, "=")
	// The --key of context add and key check is an operator key; elsewhere it is the key of an object.
	isKey := slices.Contains(keyFlags(), unknown) || unknown == "key" &&
		(cmd.Flags().Lookup("replace") != nil || cmd.HasParent() && cmd.Parent().Name() == "key")
	if isKey && cmd.Flags().Lookup("key-file") != nil {
		return "an operator key is never an argument, because other users can see it: use --key-file, KEYHOLE_KEY or " +
			"keyhole context add"
	}
	if hint := nearFlags(cmd, flagsOfOthers()[unknown], ""); hint != "" {
		return hint + " " + help
	}
	if near := nearFlag(cmd, unknown); near != "" {
		return "did you mean --" + near + "? " + help
	}
	return help
}

// nearFlag returns the flag whose name is nearest to a mistyped one, "" for none.
func nearFlag(cmd *cobra.Command, unknown string) string {
	var names []string
	for _, f := range collect(cmd.Flags().VisitAll) {
		// A flag that removes a protection is proposed only to a person who typed "no" or "not".
		if !slices.Contains(removesProtection(), f.Name) || strings.HasPrefix(unknown, "no") {
			names = append(names, f.Name)
		}
	}
	return config.Nearest(unknown, names)
}

// removesProtection returns the flags after which more people can use a link, or for longer.
func removesProtection() []string { return []string{"no-passphrase", "no-allow", "not-sensitive"} }

// nearFlags returns a hint with the flags that the command has, or the text otherwise if the
// command has none of them. A hint must not name a flag that the command would refuse too.
func nearFlags(cmd *cobra.Command, flags []string, otherwise string) string {
	var has []string
	for _, flag := range flags {
		name, _, _ := strings.Cut(flag, " ")
		if cmd.Flags().Lookup(name) != nil {
			has = append(has, "--"+flag)
		}
	}
	if len(has) == 0 {
		return otherwise
	}
	return "did you mean " + strings.Join(has, " or ") + "?"
}

// keyFlags returns the flags by which other tools take a secret as an argument.
func keyFlags() []string {
	return []string{"api-key", "apikey", "operator-key", "secret", "token", "access-key", "auth"}
}

// flagsOfOthers returns, for flags of other tools, the flags to use, some with a value. A
// command offers only those that it has.
func flagsOfOthers() map[string][]string {
	return map[string][]string{
		"password": {"make-passphrase", "passphrase-file"}, "passphrase": {"make-passphrase", "passphrase-file"},
		"pass": {"make-passphrase", "passphrase-file"}, "password-file": {"passphrase-file"},
		"pin-code":       {"make-passphrase"},
		"new-passphrase": {"make-passphrase"}, "change-passphrase": {"make-passphrase"},
		"reset-passphrase": {"make-passphrase"}, "rotate-passphrase": {"make-passphrase"},
		"new-password": {"make-passphrase"},
		"unused":       {"used never"}, "never-used": {"used never"},
		"max-downloads": {"max-clicks"}, "max-uses": {"max-clicks"}, "uses": {"max-clicks"},
		"downloads": {"max-clicks", "kind redirected"}, "download": {"max-clicks", "kind redirected"},
		"max-views": {"max-clicks"}, "once": {"max-clicks"}, "one-time": {"max-clicks"}, "clicks": {"max-clicks"},
		"expire": {"expires"}, "expiry": {"expires"}, "expiration": {"expires"}, "expires-in": {"expires"},
		"ttl": {"expires"}, "duration": {"expires"}, "lifetime": {"expires"}, "valid-for": {"expires"},
		"until": {"expires"}, "life": {"expires"}, "start": {"not-before"}, "valid-from": {"not-before"},
		"ip": {"allow"}, "cidr": {"allow"}, "network": {"allow"}, "name": {"filename"}, "title": {"note"},
		"description": {"note"}, "message": {"note"}, "comment": {"note"}, "tag": {"label"}, "tags": {"label"},
		"labels": {"label"}, "owner": {"created-by"}, "user": {"created-by"}, "author": {"created-by"},
		"status": {"state"}, "filter": {"prefix", "label"}, "max": {"limit"}, "max-results": {"limit"},
		"all": {"limit"}, "count": {"limit"}, "force": {"yes"}, "no-input": {"yes"}, "assume-yes": {"yes"},
		"silent": {"quiet"}, "output": {"json"}, "format": {"json"}, "profile": {"context"}, "config": {"context"},
		"url": {"operator-url"}, "host": {"operator-url"}, "server": {"operator-url"}, "endpoint": {"operator-url"},
		"endpoint-url": {"operator-url"}, "address": {"operator-url"}, "watch": {"follow"}, "tail": {"follow"},
		"permissions": {"can"}, "actions": {"can"}, "scope": {"objects"}, "bucket": {"objects"},
	}
}

// shorthands returns the flags for one-letter flags of other tools; the commands have
// none.
func shorthands() map[string][]string {
	return map[string][]string{
		"o": {"json"}, "f": {"follow", "yes"}, "y": {"yes"}, "q": {"quiet"}, "n": {"limit", "dry-run", "name"},
		"e": {"expires"}, "p": {"make-passphrase", "prefix"}, "b": {"bucket"}, "l": {"label"}, "c": {"context", "config"},
		"k": {"key-file"}, "u": {"operator-url"},
	}
}
