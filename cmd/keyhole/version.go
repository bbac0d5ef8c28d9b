package main

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// version and revision are set by the linker in released builds.
var version, revision string //nolint:gochecknoglobals // -ldflags -X needs variables

// build is what is running.
type build struct{ version, revision, goVersion string }

// currentBuild says what is running: what the linker was told, otherwise what
// the Go toolchain noted of the checkout.
func currentBuild() build {
	b := build{version: version, revision: revision, goVersion: runtime.Version()}
	info, ok := debug.ReadBuildInfo()
	if b.version == "" {
		b.version = "devel"
		if ok && info.Main.Version != "" && info.Main.Version != "(devel)" {
			b.version = info.Main.Version
		}
	}
	if b.revision == "" {
		b.revision = "unknown"
		if ok {
			for _, setting := range info.Settings {
				if setting.Key == "vcs.revision" {
					b.revision = setting.Value
				}
			}
		}
	}
	return b
}

// newVersion builds keyhole version.
func newVersion(world *surroundings) *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print version, revision and Go version",
		Args:  exactly(0, "nothing"),
		RunE: func(*cobra.Command, []string) error {
			b := currentBuild()
			_, err := fmt.Fprintf(world.stdout, "keyhole %s\nrevision %s\n%s\n", b.version, b.revision, b.goVersion)
			return err
		},
	}
}
