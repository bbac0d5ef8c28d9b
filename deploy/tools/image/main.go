// Command image writes the image of Keyhole for several platforms as an OCI image layout,
// without a container engine. The images have the files and the settings of the target
// "prebuilt" of the Dockerfile; a test in deploy compares them.
//
//	image -output DIR -version 1.2.3 -revision COMMIT linux/amd64=ARCHIVE linux/arm64=ARCHIVE
//
// ARCHIVE is a directory with the files keyhole, LICENSE and THIRD-PARTY-LICENSES.
// SOURCE_DATE_EPOCH is the time of everything in the image.
package main

import (
	"archive/tar"
	"bytes"
	"flag"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

func main() {
	if err := run(os.Args[1:], os.Getenv("SOURCE_DATE_EPOCH")); err != nil {
		fmt.Fprintln(os.Stderr, "image:", err)
		os.Exit(1)
	}
}

// release is what all images have in common.
type release struct {
	version, revision string
	homepage          string // may be empty
	certificates      string // a file in PEM
	created           time.Time
}

func run(args []string, epoch string) error {
	var r release
	var output string
	flags := flag.NewFlagSet("image", flag.ContinueOnError)
	flags.StringVar(&output, "output", "", "the directory of the layout; it must not exist")
	flags.StringVar(&r.version, "version", "unknown", "the label org.opencontainers.image.version")
	flags.StringVar(&r.revision, "revision", "unknown", "the label org.opencontainers.image.revision")
	flags.StringVar(&r.homepage, "homepage", "", "the label org.opencontainers.image.url; empty for none")
	flags.StringVar(&r.certificates, "certificates", "/etc/ssl/certs/ca-certificates.crt", "a file in PEM")
	if err := flags.Parse(args); err != nil {
		return err
	}
	seconds, err := strconv.ParseInt(epoch, 10, 64)
	if err != nil {
		return fmt.Errorf("SOURCE_DATE_EPOCH: %w", err)
	}
	r.created = time.Unix(seconds, 0).UTC()
	index := mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	for _, arg := range flags.Args() {
		platform, directory, ok := strings.Cut(arg, "=")
		if !ok {
			return fmt.Errorf("%q is not OS/ARCHITECTURE=ARCHIVE", arg)
		}
		p, err := v1.ParsePlatform(platform)
		if err != nil {
			return err
		}
		image, err := r.image(p, directory)
		if err != nil {
			return fmt.Errorf("%s: %w", platform, err)
		}
		index = mutate.AppendManifests(index, mutate.IndexAddendum{Add: image, Descriptor: v1.Descriptor{Platform: p}})
	}
	// The layout names one index, of all platforms. Its annotation is the tag that tools show.
	written, err := layout.Write(output, empty.Index)
	if err != nil {
		return err
	}
	return written.AppendIndex(index, layout.WithAnnotations(map[string]string{
		"org.opencontainers.image.ref.name": r.version,
	}))
}

// image returns the image of one platform. The settings are those of the Dockerfile, which
// gives the reasons.
func (r release) image(p *v1.Platform, directory string) (v1.Image, error) {
	const documents = "usr/share/doc/keyhole/"
	image := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	for _, files := range [][]file{
		{{name: "etc/ssl/certs/ca-certificates.crt", mode: 0o644, source: r.certificates}},
		{
			{name: documents + "LICENSE", mode: 0o644, source: filepath.Join(directory, "LICENSE")},
			{name: documents + "THIRD-PARTY-LICENSES", mode: 0o644, source: filepath.Join(directory, "THIRD-PARTY-LICENSES")},
		},
		{{name: "keyhole", mode: 0o555, source: filepath.Join(directory, "keyhole")}},
	} {
		layer, err := r.layer(files)
		if err != nil {
			return nil, err
		}
		if image, err = mutate.Append(image, mutate.Addendum{
			Layer: layer, MediaType: types.OCILayer,
			History: v1.History{Created: v1.Time{Time: r.created}, CreatedBy: "COPY /" + files[0].name},
		}); err != nil {
			return nil, err
		}
	}
	config, err := image.ConfigFile()
	if err != nil {
		return nil, err
	}
	config = config.DeepCopy()
	config.OS, config.Architecture, config.Variant, config.Created = p.OS, p.Architecture, p.Variant, v1.Time{Time: r.created}
	config.Config = v1.Config{
		User:         "65532:65532",
		ExposedPorts: map[string]struct{}{"8080/tcp": {}, "8081/tcp": {}},
		Env: []string{
			"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
			"KEYHOLE_CONFIG=/etc/keyhole/keyhole.yaml",
		},
		Entrypoint: []string{"/keyhole"},
		Cmd:        []string{"serve", "--config", "/etc/keyhole/keyhole.yaml"},
		// Not a part of OCI's configuration; Docker reads it.
		Healthcheck: &v1.HealthConfig{
			Test:     []string{"CMD", "/keyhole", "health", "--live"},
			Interval: 10 * time.Second, Timeout: 3 * time.Second, StartPeriod: 5 * time.Second, Retries: 3,
		},
		Labels: map[string]string{
			"org.opencontainers.image.title":       "keyhole",
			"org.opencontainers.image.description": "Short-link redirect gateway for private S3-compatible buckets",
			"org.opencontainers.image.licenses":    "MIT",
			"org.opencontainers.image.version":     r.version,
			"org.opencontainers.image.revision":    r.revision,
		},
	}
	if r.homepage != "" {
		config.Config.Labels["org.opencontainers.image.url"] = r.homepage
	}
	return mutate.ConfigFile(image, config)
}

// file is a file of an image.
type file struct {
	name   string // without a slash before it
	mode   int64
	source string // a path on this machine
}

// layer returns a layer with files of one directory, and the directories above them.
func (r release) layer(files []file) (v1.Layer, error) {
	var packed bytes.Buffer
	archive := tar.NewWriter(&packed)
	var directories []string
	for above := path.Dir(files[0].name); above != "."; above = path.Dir(above) {
		directories = append([]string{above}, directories...)
	}
	for _, directory := range directories {
		if err := archive.WriteHeader(&tar.Header{
			Typeflag: tar.TypeDir, Name: directory + "/", Mode: 0o755, ModTime: r.created,
		}); err != nil {
			return nil, err
		}
	}
	for _, f := range files {
		content, err := os.ReadFile(f.source)
		if err != nil {
			return nil, err
		}
		if err := archive.WriteHeader(&tar.Header{
			Typeflag: tar.TypeReg, Name: f.name, Mode: f.mode, Size: int64(len(content)), ModTime: r.created,
		}); err != nil {
			return nil, err
		}
		if _, err := archive.Write(content); err != nil {
			return nil, err
		}
	}
	if err := archive.Close(); err != nil {
		return nil, err
	}
	return tarball.LayerFromOpener(func() (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(packed.Bytes())), nil
	})
}
