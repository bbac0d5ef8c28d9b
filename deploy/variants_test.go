package deploy_test

import (
	"os/exec"
	"path/filepath"
	"testing"
)

// The variants of the benchmark are patches of code that changes. Each must apply to the
// tree as it is, or deploy/bench/run --variant cannot measure it.
func TestVariantsApply(t *testing.T) {
	t.Parallel()
	patches, err := filepath.Glob("bench/variants/*.patch")
	if err != nil || len(patches) < 3 {
		t.Fatalf("%d variants, %v; want 3 at least", len(patches), err)
	}
	for _, patch := range patches {
		command := exec.CommandContext(t.Context(), "git", "apply", "--check", filepath.Join("deploy", patch))
		command.Dir = ".."
		if text, err := command.CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", patch, err, text)
		}
	}
}
