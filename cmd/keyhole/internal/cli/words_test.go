package cli

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"keyhole/cmd/keyhole/internal/command"
)

// wholeTree returns the tree of commands as the binary has it: with the commands that
// the caller of NewRoot adds.
func wholeTree() *cobra.Command {
	root := NewRoot(&command.Env{})
	for _, name := range []string{"serve", "doctor", "demo", "pages"} {
		root.AddCommand(&cobra.Command{Use: name, Short: name, Run: func(*cobra.Command, []string) {}})
	}
	return root
}

// eachCommand calls do for root and every command below it.
func eachCommand(root *cobra.Command, do func(*cobra.Command)) {
	do(root)
	for _, sub := range root.Commands() {
		eachCommand(sub, do)
	}
}

// Each word of other tools leads to a command that exists, and none hides a command.
func TestWordsLeadToCommands(t *testing.T) {
	t.Parallel()
	root := wholeTree()
	var names []string
	for _, sub := range root.Commands() {
		names = append(names, sub.Name())
	}
	for table, words := range map[string]map[string]string{"objects": wordsForObjects(), "others": wordsOfOthers()} {
		for word, meant := range words {
			if !slices.Contains(names, meant) {
				t.Errorf("%s: %s leads to %s, which is no command", table, word, meant)
			}
			if word != strings.ToLower(word) {
				t.Errorf("%s: %s is never found, because words are compared in lower case", table, word)
			}
			// cobra runs a command of this name, so the table would be dead for it.
			if table == "others" && slices.Contains(names, word) {
				t.Errorf("%s is a command itself", word)
			}
		}
	}
	for word, paths := range wordsOfPaths() {
		for _, path := range paths {
			found, rest, err := root.Find(strings.Fields(path))
			if err != nil || len(rest) > 0 || found.CommandPath() != "keyhole "+path || slices.Contains(names, word) {
				t.Errorf("%s leads to %s, which is no command: %v", word, path, err)
			}
		}
	}
	for word, meant := range wordsForObjects() {
		if got := nearCommand(root, []string{word, "s3://reports/a"}); got != meant {
			t.Errorf("%s s3://reports/a: got %s, want %s", word, got, meant)
		}
	}
}

// No word of SuggestFor is claimed by two commands of one group, because the order of the
// commands would decide then.
func TestSuggestForIsUnique(t *testing.T) {
	t.Parallel()
	eachCommand(wholeTree(), func(group *cobra.Command) {
		owner := map[string]string{}
		for _, sub := range group.Commands() {
			for _, word := range append(slices.Clone(sub.SuggestFor), sub.Name()) {
				if first, taken := owner[word]; taken {
					t.Errorf("%s: %s leads to both %s and %s", group.CommandPath(), word, first, sub.Name())
				}
				owner[word] = sub.Name()
			}
		}
	})
}

// Words lead to serve and doctor only in a binary that has them.
func TestNearCommandNamesOnlyItsOwn(t *testing.T) {
	t.Parallel()
	for word, want := range map[string][2]string{
		// With serve and doctor, and without them: then only a similar command is left.
		"run":      {"serve", "man"},
		"server":   {"serve", ""},
		"test":     {"doctor", "list"},
		"serv":     {"serve", ""},
		"logs":     {"audit", "audit"},
		"shar":     {"share", "share"},
		"lstt":     {"list", "list"}, // two letters differ, which only cobra accepts
		"zzzzzzzz": {"", ""},
		"":         {"", ""}, // every name begins with it
	} {
		if got := nearCommand(wholeTree(), []string{word}); got != want[0] {
			t.Errorf("%q in the whole tree: got %q, want %q", word, got, want[0])
		}
		if got := nearCommand(NewRoot(&command.Env{}), []string{word}); got != want[1] {
			t.Errorf("%q without serve and doctor: got %q, want %q", word, got, want[1])
		}
	}
}

// A hint never names a flag that the command refuses too, for any flag of other tools and
// any command.
func TestHintsNameFlagsOfTheCommand(t *testing.T) {
	t.Parallel()
	foreign := slices.Sorted(maps.Keys(flagsOfOthers()))
	suggested := map[string]bool{}
	eachCommand(wholeTree(), func(c *cobra.Command) {
		for _, name := range foreign {
			if c.Flags().Lookup(name) != nil {
				continue // the command has this flag, so it is never unknown
			}
			question, asks, _ := strings.Cut(hintForFlag(c, "unknown flag: --"+name), "?")
			if asks != " see: "+c.CommandPath()+" --help" && asks != "" {
				t.Errorf("%s --%s: the hint ends with %q", c.CommandPath(), name, asks)
			}
			for word := range strings.FieldsSeq(strings.TrimPrefix(question, "see: "+c.CommandPath()+" --help")) {
				flag, is := strings.CutPrefix(word, "--")
				if !is {
					continue
				}
				suggested[name] = true
				if c.Flags().Lookup(flag) == nil {
					t.Errorf("%s --%s: the hint names --%s, which the command does not have", c.CommandPath(), name, flag)
				}
			}
		}
	})
	for _, name := range foreign {
		if !suggested[name] {
			t.Errorf("--%s has no hint for any command", name)
		}
	}
}

// Each letter of other tools leads to a flag of some command.
func TestShorthandsLeadToFlags(t *testing.T) {
	t.Parallel()
	known := map[string]bool{}
	eachCommand(wholeTree(), func(c *cobra.Command) {
		for _, f := range collect(c.Flags().VisitAll) {
			known[f.Name] = true
			if f.Shorthand != "" && f.Shorthand != "h" {
				t.Errorf("%s has -%s; a letter of another tool must not do something else", c.CommandPath(), f.Shorthand)
			}
		}
	})
	for letter, flags := range shorthands() {
		if !slices.ContainsFunc(flags, func(name string) bool { return known[name] }) {
			t.Errorf("-%s leads to %q, which no command has", letter, flags)
		}
	}
	for args, want := range map[string]string{
		"list -n 5":            "did you mean --limit?",
		"key new -n ci":        "did you mean --name?",
		"revoke --all -n":      "did you mean --dry-run?",
		"audit -f":             "did you mean --follow?",
		"revoke --all -f":      "did you mean --yes?",
		"share s3://a/b -p":    "did you mean --make-passphrase?",
		"list -p 2026/":        "did you mean --prefix?",
		"list -c prod":         "did you mean --context?",
		"list -k operator.key": "did you mean --key-file?",
		"version -c x":         "see: keyhole version --help",
		"list -ü":              "see: keyhole list --help",
		"list -'":              "see: keyhole list --help",
		"list -jq":             "see: keyhole list --help",
	} {
		got := runOver(t, &fakeAPI{}, strings.Fields(args)...)
		if got.code != command.ExitUsage || got.stdout != "" || !strings.HasSuffix(got.stderr, "\n  "+want+"\n") {
			t.Errorf("%s: %+v, want %q", args, got, want)
		}
	}
}

// A secret behind a flag of another tool is never repeated. The hint says how to pass it if
// the command takes an operator key at all.
func TestKeysAsArguments(t *testing.T) {
	t.Parallel()
	const secret = "hunter2-canary"
	const how = "an operator key is never an argument, because other users can see it: use --key-file, KEYHOLE_KEY " +
		"or keyhole context add"
	for _, flag := range keyFlags() {
		for line, want := range map[string]string{
			"list": how, "share s3://reports/a": how, "context add prod": how, "key check": how,
			"version": "see: keyhole version --help", "key new": "see: keyhole key new --help",
			"context list": "see: keyhole context list --help",
		} {
			for _, form := range []string{"--" + flag + "=" + secret, "--" + flag + " " + secret} {
				f := &fakeAPI{}
				got := runOver(t, f, strings.Fields(line+" "+form)...)
				if got.code != command.ExitUsage || len(f.requests) > 0 || strings.Contains(got.stderr+got.stdout, secret) ||
					got.stderr != "keyhole: unknown flag: --"+flag+"\n  "+want+"\n" {
					t.Errorf("%s %s: %+v", line, form, got)
				}
			}
		}
	}
	// --key is the key of an object for list and revoke, and an operator key for context add.
	if got := runOver(t, &fakeAPI{}, "context", "add", "prod", "--key", secret); !strings.Contains(got.stderr, how) {
		t.Errorf("context add --key: %+v", got)
	}
	if got := runOver(t, &fakeAPI{}, "show", testID(), "--key="+secret); got.code != command.ExitUsage ||
		strings.Contains(got.stderr, how) || strings.Contains(got.stderr, secret) {
		t.Errorf("show --key: %+v", got)
	}
}

// Groups refuse unknown commands with their own name, and run nothing.
func TestUnknownCommandsOfGroups(t *testing.T) {
	t.Parallel()
	for args, want := range map[string]string{
		"key chekc":        "unknown command \"chekc\"\n  did you mean: keyhole key check\n",
		"keys nw":          "unknown command \"nw\"\n  did you mean: keyhole key new\n",
		"context ad prod":  "unknown command \"ad\"\n  did you mean: keyhole context add\n",
		"context switch x": "unknown command \"switch\"\n  did you mean: keyhole context use\n",
		"context rm x":     "unknown command \"rm\"\n  did you mean: keyhole context remove\n",
		"context zzzzzz":   "unknown command \"zzzzzz\"\n  see: keyhole context --help\n",
		"audit purge":      "unknown command \"purge\"\n  did you mean: keyhole audit erase\n",
		"audit zzzzzz": "keyhole audit takes flags, and one object or folder as s3://BUCKET/KEY or s3://BUCKET/PREFIX/\n" +
			"  filter by --bucket, --prefix or --key; for one link: keyhole show or keyhole events\n" +
			"  usage: keyhole audit [s3://BUCKET/KEY | s3://BUCKET/PREFIX/] [flags]\n",
		"key \x1b[2J": `unknown command "\x1b[2J"` + "\n  see: keyhole key --help\n",
	} {
		f := &fakeAPI{}
		got := runOver(t, f, strings.Fields(args)...)
		if got.code != command.ExitUsage || got.stdout != "" || len(f.requests) > 0 || got.stderr != "keyhole: "+want {
			t.Errorf("%q: %+v, want %q", args, got, want)
		}
	}
}
