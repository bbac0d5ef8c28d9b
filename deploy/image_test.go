package deploy_test

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// The version and revision that the test builds into the binary and the image.
const (
	imageVersion  = "1.2.3-test"
	imageRevision = "0123456789abcdef"
)

// builder runs buildah with a storage of its own, below the test's directory.
type builder struct{ dir string }

func (b builder) run(t *testing.T, args ...string) []byte {
	t.Helper()
	return run(t, "buildah", append([]string{
		"--storage-driver", "vfs",
		"--root", filepath.Join(b.dir, "root"),
		"--runroot", filepath.Join(b.dir, "runroot"),
	}, args...)...)
}

// imageConfig is what Docker's format says of an image.
type imageConfig struct {
	User         string
	Entrypoint   []string
	Cmd          []string
	ExposedPorts map[string]struct{}
	Labels       map[string]string
	Healthcheck  struct{ Test []string }
}

// build builds the prebuilt target around a fresh static binary.
func (b builder) build(t *testing.T) {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "keyhole")
	run(t, "env", "CGO_ENABLED=0", "go", "build", "-trimpath", "-buildvcs=false",
		"-ldflags", "-s -w -X main.version="+imageVersion+" -X main.revision="+imageRevision,
		"-o", binary, "keyhole/cmd/keyhole")
	b.buildAround(t, binary)
}

// buildAround builds the prebuilt target around a binary: offline, with no base image.
func (b builder) buildAround(t *testing.T, binary string) {
	t.Helper()
	dist := t.TempDir()
	run(t, "cp", binary, filepath.Join(dist, "keyhole"))
	run(t, "cp", "../LICENSE", "/etc/ssl/certs/ca-certificates.crt", dist)
	if err := os.WriteFile(filepath.Join(dist, "THIRD-PARTY-LICENSES"), run(t, "./licenses", binary), 0o644); err != nil {
		t.Fatal(err)
	}
	b.run(t, "bud", "--isolation", "chroot", "--format", "docker", "--pull-never",
		"--build-arg", "VERSION="+imageVersion, "--build-arg", "REVISION="+imageRevision,
		"--target", "prebuilt", "--tag", "keyhole", "--file", "../Dockerfile", dist)
}

func TestImage(t *testing.T) {
	b := builder{dir: t.TempDir()}
	// If the test does not run as root, only buildah may remove the layers.
	defer b.run(t, "rmi", "--all", "--force")
	b.build(t)

	t.Run("configuration", func(t *testing.T) {
		var inspected struct {
			Docker struct{ Config imageConfig }
		}
		if err := json.Unmarshal(b.run(t, "inspect", "--type", "image", "keyhole"), &inspected); err != nil {
			t.Fatal(err)
		}
		checkImageConfig(t, inspected.Docker.Config)
	})

	t.Run("files", func(t *testing.T) {
		archive := filepath.Join(t.TempDir(), "image.tar")
		b.run(t, "push", "keyhole", "docker-archive:"+archive)
		want := []string{
			"etc/ssl/certs/ca-certificates.crt", "keyhole", "usr/share/doc/keyhole/LICENSE",
			"usr/share/doc/keyhole/THIRD-PARTY-LICENSES",
		}
		if got := imageFiles(t, archive); !slices.Equal(got, want) {
			t.Errorf("the image holds %q, want %q and no shell", got, want)
		}
	})

	t.Run("runs", func(t *testing.T) {
		container := strings.TrimSpace(string(b.run(t, "from", "--pull-never", "keyhole")))
		got := string(b.run(t, "run", "--isolation", "chroot", container, "--", "/keyhole", "version"))
		for _, want := range []string{imageVersion, imageRevision} {
			if !strings.Contains(got, want) {
				t.Errorf("keyhole version in the image says %q, without %s", got, want)
			}
		}
	})
}

// checkImageConfig checks the properties of the image that its users rely on.
func checkImageConfig(t *testing.T, c imageConfig) {
	t.Helper()
	for _, check := range []struct {
		what      string
		got, want []string
	}{
		{"user", []string{c.User}, []string{"65532:65532"}},
		{"entrypoint", c.Entrypoint, []string{"/keyhole"}},
		{"command", c.Cmd, []string{"serve", "--config", "/etc/keyhole/keyhole.yaml"}},
		{"health check", c.Healthcheck.Test, []string{"CMD", "/keyhole", "health", "--live"}},
	} {
		if !slices.Equal(check.got, check.want) {
			t.Errorf("%s: %q, want %q", check.what, check.got, check.want)
		}
	}
	for _, port := range []string{"8080/tcp", "8081/tcp"} {
		if _, ok := c.ExposedPorts[port]; !ok {
			t.Errorf("port %s is not exposed, but %v", port, c.ExposedPorts)
		}
	}
	for label, want := range map[string]string{
		"title": "keyhole", "licenses": "MIT", "version": imageVersion, "revision": imageRevision,
	} {
		if got := c.Labels["org.opencontainers.image."+label]; got != want {
			t.Errorf("label %s: %q, want %q", label, got, want)
		}
	}
}

// imageFiles lists the regular files of all layers of a docker archive.
func imageFiles(t *testing.T, archive string) []string {
	t.Helper()
	var files []string
	outer, err := os.Open(archive)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = outer.Close() }()
	eachFile(t, outer, func(name string, content io.Reader) {
		if filepath.Ext(name) != ".tar" {
			return
		}
		layer, err := io.ReadAll(content)
		if err != nil {
			t.Fatal(err)
		}
		eachFile(t, bytes.NewReader(layer), func(name string, _ io.Reader) { files = append(files, name) })
	})
	slices.Sort(files)
	return files
}

// eachFile calls visit for each regular file of a tar archive.
func eachFile(t *testing.T, r io.Reader, visit func(name string, content io.Reader)) {
	t.Helper()
	for archive := tar.NewReader(r); ; {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		if header.Typeflag == tar.TypeReg {
			visit(header.Name, archive)
		}
	}
}

// TestDockerfilePullsNothingBeforeItsPrebuiltTarget guards the order of stages:
// builders run every stage up to the target.
func TestDockerfilePullsNothingBeforeItsPrebuiltTarget(t *testing.T) {
	for line := range strings.Lines(string(read(t, "../Dockerfile"))) {
		fields := strings.Fields(line)
		if len(fields) < 2 || fields[0] != "FROM" {
			continue
		}
		if base := fields[1]; base != "scratch" && base != "base" {
			t.Fatalf("%s is pulled before the target prebuilt", base)
		}
		if fields[len(fields)-1] == "prebuilt" {
			return
		}
	}
	t.Error("the Dockerfile has no target prebuilt")
}
