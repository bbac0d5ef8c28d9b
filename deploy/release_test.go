package deploy_test

import (
	"archive/tar"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// debVersion is imageVersion for packages: 1.2.3~test is older than 1.2.3.
const debVersion = "1.2.3~test"

// releaseNames returns the files of a release for this platform. base is the beginning of
// the names of the archive and of the list of modules.
func releaseNames() (base, deb, rpm, image string) {
	// rpm has its own names of architectures.
	machine := map[string]string{"amd64": "x86_64", "arm64": "aarch64"}[runtime.GOARCH]
	return "keyhole_" + imageVersion + "_linux_" + runtime.GOARCH,
		"keyhole_" + debVersion + "_" + runtime.GOARCH + ".deb",
		"keyhole-" + debVersion + "-1." + machine + ".rpm", "keyhole_" + imageVersion + "_image.tar"
}

// makeRelease runs deploy/release without a network for the platform of this machine, and
// returns the directory of its files.
func makeRelease(t *testing.T, environment ...string) string {
	t.Helper()
	output := t.TempDir()
	command := exec.CommandContext(t.Context(), "./release", "--platform", "linux/"+runtime.GOARCH,
		"--version", imageVersion, "--revision", imageRevision, "--output", output)
	command.Env = append(os.Environ(), "GOPROXY=off", "SOURCE_DATE_EPOCH=1790000000",
		"GOFLAGS="+strings.TrimSpace(os.Getenv("GOFLAGS")+" -pgo=off"))
	command.Env = append(command.Env, environment...)
	if out, err := command.CombinedOutput(); err != nil {
		t.Fatalf("deploy/release: %v\n%s", err, out)
	}
	return output
}

// downloadReleaseTools downloads the modules of the tools that a release is made with, and
// nothing else of that large module. A clean machine has none of them.
func downloadReleaseTools(t *testing.T) {
	t.Helper()
	command := exec.CommandContext(t.Context(), "go", "build", "-trimpath", "-o", t.TempDir(), "./image",
		"github.com/goreleaser/nfpm/v2/cmd/nfpm", "github.com/CycloneDX/cyclonedx-gomod/cmd/cyclonedx-gomod")
	command.Dir = "tools"
	command.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := command.CombinedOutput(); err != nil {
		t.Fatalf("download the modules of deploy/tools: %v\n%s", err, out)
	}
}

// TestRelease makes a release twice and checks every file of it.
func TestRelease(t *testing.T) {
	downloadReleaseTools(t)
	dir := makeRelease(t)
	names := filesIn(t, dir)
	base, deb, rpm, image := releaseNames()
	want := []string{"SHA256SUMS", deb, rpm, image, base + ".cdx.json", base + ".tar.gz"}
	slices.Sort(want)
	if !slices.Equal(names, want) {
		t.Fatalf("made %q, want %q", names, want)
	}
	t.Run("again", func(t *testing.T) {
		again := makeRelease(t, "TZ=Pacific/Chatham", "LC_ALL=C", "USER=someone")
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
	t.Run("deb", func(t *testing.T) { checkDeb(t, filepath.Join(dir, deb)) })
	t.Run("rpm", func(t *testing.T) { checkRPM(t, filepath.Join(dir, rpm)) })
	t.Run("image", func(t *testing.T) { checkReleasedImage(t, filepath.Join(dir, image)) })
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
	} {
		if info, err := os.Stat(filepath.Join(unpacked, name)); err != nil || info.Size() == 0 {
			t.Errorf("%s is missing or empty: %v", name, err)
		}
	}
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
		Components []struct{ Name, Version string }
	}
	if err := json.Unmarshal(read(t, list), &sbom); err != nil || sbom.BOMFormat != "CycloneDX" {
		t.Fatalf("%v, format %q", err, sbom.BOMFormat)
	}
	listed := map[string]bool{}
	for _, c := range sbom.Components {
		listed[c.Name+" "+c.Version] = true
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

// checkDeb lets lintian check the package. Its errors fail; its warnings are about modes and
// systemctl, which the package means.
func checkDeb(t *testing.T, file string) {
	t.Helper()
	command := exec.CommandContext(t.Context(), tool(t, "lintian"), "--fail-on", "error", file)
	if out, err := command.CombinedOutput(); err != nil {
		t.Errorf("lintian: %v\n%s", err, out)
	}
	out := string(run(t, "dpkg-deb", "--contents", file))
	for _, want := range []string{
		"drwxr-x--- root/keyhole ", "-rw-r----- root/keyhole ", "drwx------ keyhole/keyhole ", " ./usr/bin/keyhole\n",
		" ./usr/lib/systemd/system/keyhole.service\n", " ./usr/share/man/man1/keyhole.1.gz\n",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("the package has no %q", want)
		}
	}
	if got := string(run(t, "dpkg-deb", "--field", file, "Version")); got != debVersion+"\n" {
		t.Errorf("version %q", got)
	}
	control := t.TempDir()
	run(t, "dpkg-deb", "--control", file, control)
	if got := string(read(t, filepath.Join(control, "conffiles"))); got != "/etc/keyhole/keyhole.example.yaml\n" {
		t.Errorf("protected are %q", got)
	}
}

// checkRPM checks the files, the protected configuration and the scripts of the package.
func checkRPM(t *testing.T, file string) {
	t.Helper()
	files := string(run(t, "rpm", "-qp", "--queryformat",
		"[%{FILEMODES:perms} %{FILEUSERNAME} %{FILEGROUPNAME} %{FILENAMES}\n]", file))
	for _, want := range []string{
		"drwxr-x--- root keyhole /etc/keyhole\n", "-rw-r----- root keyhole /etc/keyhole/keyhole.example.yaml\n",
		"drwx------ keyhole keyhole /var/lib/keyhole\n", "-rwxr-xr-x root root /usr/bin/keyhole\n",
	} {
		if !strings.Contains(files, want) {
			t.Errorf("no %q in\n%s", want, files)
		}
	}
	if got := string(run(t, "rpm", "-qp", "--configfiles", file)); got != "/etc/keyhole/keyhole.example.yaml\n" {
		t.Errorf("configuration files: %q", got)
	}
	scripts := string(run(t, "rpm", "-qp", "--scripts", file))
	for _, name := range []string{"preinstall", "postinstall", "preuninstall", "postuninstall"} {
		if !strings.Contains(scripts, name+" scriptlet (using /bin/sh):") {
			t.Errorf("no script %s", name)
		}
	}
	made := string(run(t, "rpm", "-qp", "--queryformat", "%{BUILDHOST} %{BUILDTIME}", file))
	if made != "localhost 1790000000" {
		t.Errorf("made at %q", made)
	}
}

// checkReleasedImage compares the image with that of the Dockerfile: the configuration, and
// the names, modes and owners of the files.
func checkReleasedImage(t *testing.T, layout string) {
	t.Helper()
	b := builder{dir: t.TempDir()}
	defer b.run(t, "rmi", "--all", "--force")
	b.build(t)
	b.run(t, "tag", strings.TrimSpace(string(b.run(t, "pull", "--quiet", "oci-archive:"+layout))), "released")
	configs, files := map[string]any{}, map[string]map[string]string{}
	for _, name := range []string{"keyhole", "released"} {
		var inspected struct {
			Docker struct {
				Config       map[string]any
				Architecture string
				OS           string
			}
		}
		if err := json.Unmarshal(b.run(t, "inspect", "--type", "image", name), &inspected); err != nil {
			t.Fatal(err)
		}
		// buildah adds a label, a host name and empty lists of its own.
		config := inspected.Docker.Config
		delete(config, "Hostname")
		if labels, ok := config["Labels"].(map[string]any); ok {
			delete(labels, "io.buildah.version")
		}
		for _, empty := range []string{"OnBuild", "Volumes"} {
			if value := reflect.ValueOf(config[empty]); !value.IsValid() || value.Len() == 0 {
				delete(config, empty)
			}
		}
		configs[name] = inspected.Docker
		archive := filepath.Join(t.TempDir(), "image.tar")
		b.run(t, "push", name, "docker-archive:"+archive)
		files[name] = layerFiles(t, archive)
	}
	if !reflect.DeepEqual(configs["keyhole"], configs["released"]) {
		t.Errorf("the Dockerfile makes\n%v\nthe release has\n%v", configs["keyhole"], configs["released"])
	}
	if !maps.Equal(files["keyhole"], files["released"]) {
		t.Errorf("the Dockerfile makes\n%v\nthe release has\n%v", files["keyhole"], files["released"])
	}
	container := strings.TrimSpace(string(b.run(t, "from", "--pull-never", "released")))
	out := string(b.run(t, "run", "--isolation", "chroot", container, "--", "/keyhole", "version"))
	if !strings.Contains(out, imageVersion) {
		t.Errorf("keyhole version in the image prints %q", out)
	}
}

// layerFiles returns mode and owner of the files of all layers of a docker archive.
func layerFiles(t *testing.T, archive string) map[string]string {
	t.Helper()
	all := map[string]string{}
	dir := t.TempDir()
	run(t, "tar", "-C", dir, "-xf", archive)
	for _, layer := range filesIn(t, dir) {
		info, err := os.Stat(filepath.Join(dir, layer))
		if err != nil || !info.Mode().IsRegular() || filepath.Ext(layer) != ".tar" {
			continue
		}
		file, err := os.Open(filepath.Join(dir, layer))
		if err != nil {
			t.Fatal(err)
		}
		for reader := tar.NewReader(file); ; {
			header, err := reader.Next()
			if err != nil {
				break // the end: run above has read the whole archive
			}
			if header.Typeflag == tar.TypeReg {
				all[header.Name] = fmt.Sprintf("%o %d:%d", header.FileInfo().Mode().Perm(), header.Uid, header.Gid)
			}
		}
		_ = file.Close() // it was only read
	}
	return all
}
