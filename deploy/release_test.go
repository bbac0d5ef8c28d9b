package deploy_test

import (
	"archive/tar"
	"compress/gzip"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
)

const (
	// debVersion is imageVersion for packages: 1.2.3~test is older than 1.2.3. The names of
	// their files have imageVersion, because GitHub replaces the ~.
	debVersion        = "1.2.3~test"
	releaseMaintainer = "Release Test <release@keyhole.test>"
	releaseHomepage   = "https://git.keyhole.test/keyhole"
)

// releaseNames returns the files of a release for this platform. base is the beginning of
// the names of the archive and of the list of modules.
func releaseNames() (base, deb, rpm, image string) {
	// rpm has its own names of architectures.
	machine := map[string]string{"amd64": "x86_64", "arm64": "aarch64"}[runtime.GOARCH]
	return "keyhole_" + imageVersion + "_linux_" + runtime.GOARCH,
		"keyhole_" + imageVersion + "_" + runtime.GOARCH + ".deb",
		"keyhole-" + imageVersion + "-1." + machine + ".rpm", "keyhole_" + imageVersion + "_image.tar"
}

// makeRelease runs deploy/release of a tree without a network for the platform of this
// machine, and puts the files into output.
func makeRelease(t *testing.T, tree, output, umask string, environment ...string) {
	t.Helper()
	command := exec.CommandContext(t.Context(), "sh", "-c", "umask "+umask+` && exec "$@"`, "sh",
		filepath.Join(tree, "deploy/release"), "--platform", "linux/"+runtime.GOARCH,
		"--version", imageVersion, "--revision", imageRevision,
		"--maintainer", releaseMaintainer, "--homepage", releaseHomepage, "--output", output)
	command.Env = append(os.Environ(), "GOPROXY=off", "SOURCE_DATE_EPOCH=1790000000",
		"GOFLAGS="+strings.TrimSpace(os.Getenv("GOFLAGS")+" -pgo=off"))
	command.Env = append(command.Env, environment...)
	if out, err := command.CombinedOutput(); err != nil {
		t.Fatalf("deploy/release: %v\n%s", err, out)
	}
}

// makeReleaseAgain makes the release of a copy of the tree, as another user with another
// checkout would: in a path with a space, without Git, unreadable for others, over the files
// of an earlier release.
func makeReleaseAgain(t *testing.T) string {
	t.Helper()
	tree := copyRepository(t, filepath.Join(t.TempDir(), "another checkout"))
	run(t, "chmod", "-R", "go=", tree)
	output := filepath.Join(tree, "dist")
	if err := os.Mkdir(output, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"SHA256SUMS", "keyhole_1.2.2_linux_amd64.tar.gz"} {
		if err := os.WriteFile(filepath.Join(output, name), []byte("earlier\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	// With a home of its own, it still shares the modules and what was compiled, but not what
	// Go's checksum database once answered.
	makeRelease(t, tree, output, "077", append(environment(t, t.TempDir(), "TZ=Pacific/Chatham"),
		"GOPATH="+t.TempDir(), "LC_ALL=C", "GOPROXY=off", "GOAMD64=v2")...)
	return output
}

// TestRelease makes a release twice and checks every file of it.
func TestRelease(t *testing.T) {
	// A clean machine has neither the modules of the tools nor those of other platforms.
	run(t, "./release", "--prepare")
	dir := t.TempDir()
	makeRelease(t, "..", dir, "022")
	names := filesIn(t, dir)
	base, deb, rpm, image := releaseNames()
	want := []string{"SHA256SUMS", deb, rpm, image, base + ".cdx.json", base + ".tar.gz"}
	slices.Sort(want)
	if !slices.Equal(names, want) {
		t.Fatalf("made %q, want %q", names, want)
	}
	t.Run("again", func(t *testing.T) {
		t.Parallel()
		again := makeReleaseAgain(t)
		for _, name := range names {
			if string(read(t, filepath.Join(dir, name))) != string(read(t, filepath.Join(again, name))) {
				t.Errorf("%s differs between two runs", name)
			}
		}
	})
	t.Run("checksums", func(t *testing.T) {
		sums := string(read(t, filepath.Join(dir, "SHA256SUMS")))
		for _, name := range names {
			if name != "SHA256SUMS" && !strings.Contains(sums, "  "+name+"\n") {
				t.Errorf("SHA256SUMS has no %s", name)
			}
		}
		run(t, "env", "-C", dir, "sha256sum", "--check", "--strict", "SHA256SUMS")
	})
	unpacked := filepath.Join(t.TempDir(), base)
	run(t, "tar", "-C", filepath.Dir(unpacked), "-xzf", filepath.Join(dir, base+".tar.gz"))
	t.Run("archive", func(t *testing.T) { checkArchive(t, unpacked, filepath.Join(dir, base+".tar.gz")) })
	t.Run("modules", func(t *testing.T) { checkModules(t, unpacked, filepath.Join(dir, base+".cdx.json")) })
	t.Run("deb", func(t *testing.T) {
		t.Parallel()
		checkDeb(t, filepath.Join(dir, deb))
	})
	t.Run("rpm", func(t *testing.T) { checkRPM(t, filepath.Join(dir, rpm), filepath.Join(dir, deb)) })
	t.Run("image", func(t *testing.T) {
		t.Parallel()
		checkReleasedImage(t, filepath.Join(dir, image), filepath.Join(unpacked, "keyhole"))
	})
}

// filesIn returns the names of the files of a directory.
func filesIn(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	return names
}

// checkArchive checks that the binary runs, that the files are there, and that no owner or
// name of this machine is in the archive.
func checkArchive(t *testing.T, unpacked, archive string) {
	t.Helper()
	if out := string(run(t, filepath.Join(unpacked, "keyhole"), "version")); !strings.Contains(out, imageVersion) {
		t.Errorf("keyhole version prints %q", out)
	}
	for _, name := range []string{
		"LICENSE", "README.md", "THIRD-PARTY-LICENSES", "keyhole.example.yaml", "man/keyhole-share.1",
		"completions/keyhole.bash", "completions/keyhole.zsh", "completions/keyhole.fish",
		"deploy/systemd/keyhole.service", "deploy/grafana/dashboards/keyhole.json", "deploy/docs/run/install.md",
		"deploy/proxy/nginx.conf", "deploy/proxy/Caddyfile", "deploy/proxy/haproxy.cfg", "deploy/examples/curl/share.sh",
		"deploy/prometheus/rules/alerts.yml", "deploy/redis/redis.conf", "deploy/redis/users.acl", "deploy/iam/policy.json",
	} {
		if info, err := os.Stat(filepath.Join(unpacked, name)); err != nil || info.Size() == 0 {
			t.Errorf("%s is missing or empty: %v", name, err)
		}
	}
	checkLinks(t, unpacked)
	file, err := os.Open(archive)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	unzipped, err := gzip.NewReader(file)
	if err != nil {
		t.Fatal(err)
	}
	if unzipped.Name != "" || !unzipped.ModTime.IsZero() {
		t.Errorf("gzip keeps the name %q and the time %v", unzipped.Name, unzipped.ModTime)
	}
	for reader := tar.NewReader(unzipped); ; {
		header, err := reader.Next()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		if header.Uid != 0 || header.Gid != 0 || header.Uname != "" || header.ModTime.Unix() != 1790000000 {
			t.Errorf("%s: %d %d %q %v", header.Name, header.Uid, header.Gid, header.Uname, header.ModTime)
		}
	}
}

// checkModules checks that the list and the license texts have every module that the Go
// toolchain recorded in the binary, in its version.
func checkModules(t *testing.T, unpacked, list string) {
	t.Helper()
	var sbom struct {
		BOMFormat  string `json:"bomFormat"`
		Components []struct {
			Name, Version string
			Evidence      struct{ Licenses []any }
		}
	}
	if err := json.Unmarshal(read(t, list), &sbom); err != nil || sbom.BOMFormat != "CycloneDX" {
		t.Fatalf("%v, format %q", err, sbom.BOMFormat)
	}
	listed := map[string]bool{}
	for _, c := range sbom.Components {
		listed[c.Name+" "+c.Version] = true
		if len(c.Evidence.Licenses) == 0 && c.Name != "std" {
			t.Errorf("the list names no license of %s", c.Name)
		}
	}
	licenses := string(read(t, filepath.Join(unpacked, "THIRD-PARTY-LICENSES")))
	linked := 0
	for line := range strings.Lines(string(run(t, "go", "version", "-m", filepath.Join(unpacked, "keyhole")))) {
		fields := strings.Fields(line)
		if len(fields) < 3 || fields[0] != "dep" {
			continue
		}
		linked++
		module := fields[1] + " " + fields[2]
		if !listed[module] {
			t.Errorf("the list has no %s", module)
		}
		if !strings.Contains(licenses, "==== "+module+": ") {
			t.Errorf("no license of %s", module)
		}
	}
	if linked < 20 {
		t.Errorf("only %d modules were found in the binary", linked)
	}
}
