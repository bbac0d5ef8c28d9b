package command

import (
	"runtime"
	"runtime/debug"
)

// Build identifies the running binary.
type Build struct{ Version, Revision, GoVersion string }

// CurrentBuild returns the build with the version and revision that the linker
// set. If these are empty, it takes them from the module and the checkout that the
// Go toolchain recorded.
func CurrentBuild(version, revision string) Build {
	b := Build{Version: version, Revision: revision, GoVersion: runtime.Version()}
	info, ok := debug.ReadBuildInfo()
	if b.Version == "" {
		b.Version = "devel"
		if ok && info.Main.Version != "" && info.Main.Version != "(devel)" {
			b.Version = info.Main.Version
		}
	}
	if b.Revision == "" {
		b.Revision = "unknown"
		if ok {
			for _, setting := range info.Settings {
				if setting.Key == "vcs.revision" {
					b.Revision = setting.Value
				}
			}
		}
	}
	return b
}
