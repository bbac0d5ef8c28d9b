package cli

import (
	"bytes"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
)

// completionVariable is a variable that completion scripts of this version set. It says
// that the script escapes the text that it inserts into the command line. Scripts of
// earlier versions do not.
const completionVariable = "KEYHOLE_COMPLETION"

// patch is a change in a completion script that cobra generates.
type patch struct{ old, new string }

// shell is a shell for which there is a completion script.
type shell struct {
	generate func(*cobra.Command, io.Writer) error
	patches  []patch
}

// shells returns the shells by name. Other people choose the keys of objects, and each
// shell evaluates the command line when it completes: nothing of a key may get there
// unescaped.
func shells() map[string]shell {
	return map[string]shell{
		"bash": {
			func(c *cobra.Command, w io.Writer) error { return c.GenBashCompletionV2(w, true) },
			[]patch{
				{`requestComp="${words[0]} __complete`, `requestComp="` + completionVariable + `=escaped ${words[0]} __complete`},
				{bashLastWord, bashLastWord + bashTrailingBackslash},
				{bashMatchMenu, bashMatchAll},
				{bashMatchStandard, bashMatchAll},
				{bashWordBreaks, bashLastWordBreak},
			},
		},
		"fish": {
			func(c *cobra.Command, w io.Writer) error { return c.GenFishCompletion(w, true) },
			[]patch{
				{"KEYHOLE_ACTIVE_HELP=0 $args[1]", "KEYHOLE_ACTIVE_HELP=0 " + completionVariable + "=escaped $args[1]"},
				// fish removes the escapes from these words, and the script evaluates them.
				{
					"set -l args (commandline -opc)\n    # Extract the last arg and escape it",
					"set -l args (string escape -- (commandline -opc))\n    # Extract the last arg and escape it",
				},
				{"set -l lastArg (string escape -- (commandline -ct))", fishLastWord},
			},
		},
		"zsh": {
			func(c *cobra.Command, w io.Writer) error { return c.GenZshCompletion(w) },
			[]patch{
				{`requestComp="${words[1]} __complete`, `requestComp="` + completionVariable + `=escaped ${words[1]} __complete`},
				// _describe reads a backslash as an escape.
				{`            comp=${comp//:/\\:}`, `            comp=${comp//\\/\\\\}` + "\n" + `            comp=${comp//:/\\:}`},
			},
		},
	}
}

// Parts of the script for bash, as cobra generates them, and their replacements. bash inserts
// the common beginning of several completions as it is, so the script offers escaped names.
// It compares the typed text with the escaped and with the unescaped name.
const (
	bashLastWord = `    lastParam=${words[$((${#words[@]}-1))]}
`
	// bash itself inserts a backslash without what it escapes if the escaped names
	// differ only behind it.
	bashTrailingBackslash = `    local backslashes=${lastParam##*[!\\]}
    if (( ${#backslashes} % 2 == 1 )); then
        lastParam=${lastParam%?}
        words[$((${#words[@]}-1))]=$lastParam
        requestComp="` + completionVariable + `=escaped ${words[0]} __complete ${words[*]:1}"
    fi
`
	bashMatchMenu = `        # Strip any description and escape the completion to handled special characters
        IFS=$'\n' read -ra completions -d '' < <(printf "%q\n" "${completions[@]%%$tab*}")

        # Only consider the completions that match
        IFS=$'\n' read -ra COMPREPLY -d '' < <(IFS=$'\n'; compgen -W "${completions[*]}" -- "${cur}")

        # compgen looses the escaping so we need to escape all completions again since they will
        # all be inserted on the command-line.
        IFS=$'\n' read -ra COMPREPLY -d '' < <(printf "%q\n" "${COMPREPLY[@]}")
`
	bashMatchStandard = `        # First, escape the completions to handle special characters
        IFS=$'\n' read -ra completions -d '' < <(printf "%q\n" "${completions[@]}")
        # Only consider the completions that match what the user typed
        IFS=$'\n' read -ra COMPREPLY -d '' < <(IFS=$'\n'; compgen -W "${completions[*]}" -- "${cur}")

        # compgen looses the escaping so, if there is only a single completion, we need to
        # escape it again because it will be inserted on the command-line.  If there are multiple
        # completions, we don't want to escape them because they will be printed in a list
        # and we don't want to show escape characters in that list.
        if (( ${#COMPREPLY[@]} == 1 )); then
            COMPREPLY[0]=$(printf "%q" "${COMPREPLY[0]}")
        fi
`
	bashMatchAll = `        local comp escaped
        for comp in "${completions[@]}"; do
            comp=${comp%%$tab*}
            printf -v escaped "%q" "$comp"
            if [[ $escaped == "$cur"* || $comp == "$cur"* ]]; then
                COMPREPLY+=("$escaped")
            fi
        done
`
	bashWordBreaks = `    __keyhole_handle_special_char "$cur" :
    __keyhole_handle_special_char "$cur" =
`
	// The second call compares with what the first has left of each completion.
	bashLastWordBreak = `    __keyhole_handle_special_char "$cur" :
    if [[ $COMP_WORDBREAKS == *:* ]]; then
        cur=${cur##*:}
    fi
    __keyhole_handle_special_char "$cur" =
`
	fishLastWord = `set -l token (commandline -ct)
    # A token with an open quote cannot be unescaped.
    set -l plain (string unescape -- $token); and set token $plain
    set -l lastArg (string escape -- "$token")`
)

// writeCompletion writes the completion script of a shell.
func (s shell) writeCompletion(root *cobra.Command, w io.Writer) error {
	var generated bytes.Buffer
	if err := s.generate(root, &generated); err != nil {
		return fmt.Errorf("generate the completion script: %w", err)
	}
	script := generated.String()
	for _, p := range s.patches {
		if strings.Count(script, p.old) != 1 {
			// An unpatched script could let a key run commands.
			return fmt.Errorf("generate the completion script: cobra's script has changed near %q", p.old)
		}
		script = strings.Replace(script, p.old, p.new, 1)
	}
	_, err := io.WriteString(w, script)
	return err
}
