package deploy_test

import (
	"archive/tar"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// checkReleasedImage compares the image with that of the Dockerfile around the same binary:
// the configuration, and the names, modes and owners of the files.
func checkReleasedImage(t *testing.T, layout, binary string) {
	t.Helper()
	b := builder{dir: t.TempDir()}
	defer b.run(t, "rmi", "--all", "--force")
	b.buildAround(t, binary)
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
			// Someone who builds with the Dockerfile publishes the image elsewhere.
			const homepage = "org.opencontainers.image.url"
			if got := labels[homepage]; name == "released" && got != releaseHomepage {
				t.Errorf("label %s: %q", homepage, got)
			}
			delete(labels, homepage)
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
