package cli

import (
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"keyhole/cmd/keyhole/internal/command"
)

// Every patch fits exactly one place of the script that the linked cobra generates. A new
// release of cobra that changes such a place fails here, before a script could let the
// key of an object run commands.
func TestPatchesFitTheScripts(t *testing.T) {
	t.Parallel()
	for name, sh := range shells() {
		root := NewRoot(&command.Env{})
		var script strings.Builder
		if err := sh.writeCompletion(root, &script); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for _, p := range sh.patches {
			if !strings.Contains(script.String(), p.new) {
				t.Errorf("%s has no %q", name, p.new)
			}
		}
		// The variable says that the script escapes; without it only harmless names are offered.
		if !strings.Contains(script.String(), completionVariable+"=escaped") {
			t.Errorf("%s does not set %s", name, completionVariable)
		}
	}
}

// A script that the patches do not fit is not printed, not even in part.
func TestUnpatchedScriptsAreRefused(t *testing.T) {
	t.Parallel()
	root := &cobra.Command{Use: "keyhole"}
	for name, tt := range map[string]struct {
		generated string
		fail      error
		want      string
	}{
		"missing":   {"a c", nil, `cobra's script has changed near "b"`},
		"twice":     {"b b", nil, `cobra's script has changed near "b"`},
		"no script": {"", errors.New("broken"), "generate the completion script: broken"},
	} {
		var out strings.Builder
		sh := shell{
			generate: func(_ *cobra.Command, w io.Writer) error {
				_, _ = io.WriteString(w, tt.generated)
				return tt.fail
			},
			patches: []patch{{"b", "B"}},
		}
		if err := sh.writeCompletion(root, &out); err == nil || !strings.Contains(err.Error(), tt.want) || out.Len() > 0 {
			t.Errorf("%s: %v, printed %q", name, err, out.String())
		}
	}
	var out strings.Builder
	sh := shell{
		generate: func(_ *cobra.Command, w io.Writer) error { _, err := io.WriteString(w, "a b c"); return err },
		patches:  []patch{{"b", "B"}, {"a B", "A"}},
	}
	if err := sh.writeCompletion(root, &out); err != nil || out.String() != "A c" {
		t.Errorf("patches in order: %v, %q", err, out.String())
	}
}
