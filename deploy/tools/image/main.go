// Command image writes the image of Keyhole for several platforms as an OCI image layout,
// without a container engine. The images have the files and the settings of the target
// "prebuilt" of the Dockerfile; a test in deploy compares them.
//
//	image -output DIR -version 1.2.3 -revision COMMIT linux/amd64=BINARY linux/arm64=BINARY
//
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
	certificates      []byte
	created           time.Time
}

func run(args []string, epoch string) error {
	var (
		r                    release
		output, certificates string
	)
	flags := flag.NewFlagSet("image", flag.ContinueOnError)
	flags.StringVar(&output, "output", "", "the directory of the layout; it must not exist")
	flags.StringVar(&r.version, "version", "unknown", "the label org.opencontainers.image.version")
	flags.StringVar(&r.revision, "revision", "unknown", "the label org.opencontainers.image.revision")
	flags.StringVar(&r.homepage, "homepage", "", "the label org.opencontainers.image.url; empty for none")
	flags.StringVar(&certificates, "certificates", "/etc/ssl/certs/ca-certificates.crt", "a file in PEM")
	if err := flags.Parse(args); err != nil {
		return err
	}
	seconds, err := strconv.ParseInt(epoch, 10, 64)
	if err != nil {
		return fmt.Errorf("SOURCE_DATE_EPOCH: %w", err)
	}
	r.created = time.Unix(seconds, 0).UTC()
	if r.certificates, err = os.ReadFile(certificates); err != nil {
		return err
	}
	var index v1.ImageIndex = mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	for _, arg := range flags.Args() {
		platform, binary, ok := strings.Cut(arg, "=")
		if !ok {
			return fmt.Errorf("%q is not OS/ARCHITECTURE=BINARY", arg)
		}
		p, err := v1.ParsePlatform(platform)
		if err != nil {
			return err
		}
		image, err := r.image(p, binary)
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
func (r release) image(p *v1.Platform, binary string) (v1.Image, error) {
	program, err := os.ReadFile(binary)
	if err != nil {
		return nil, err
	}
	image := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	for _, file := range []struct {
		name    string
		mode    int64
		content []byte
	}{
		{"etc/ssl/certs/ca-certificates.crt", 0o644, r.certificates},
		{"keyhole", 0o555, program},
	} {
		layer, err := r.layer(file.name, file.mode, file.content)
		if err != nil {
			return nil, err
		}
		if image, err = mutate.Append(image, mutate.Addendum{
			Layer: layer, MediaType: types.OCILayer,
			History: v1.History{Created: v1.Time{Time: r.created}, CreatedBy: "COPY /" + file.name},
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

// layer returns a layer with one file and the directories above it.
func (r release) layer(name string, mode int64, content []byte) (v1.Layer, error) {
	var packed bytes.Buffer
	archive := tar.NewWriter(&packed)
	var directories []string
	for above := path.Dir(name); above != "."; above = path.Dir(above) {
		directories = append([]string{above}, directories...)
	}
	for _, directory := range directories {
		if err := archive.WriteHeader(&tar.Header{
			Typeflag: tar.TypeDir, Name: directory + "/", Mode: 0o755, ModTime: r.created,
		}); err != nil {
			return nil, err
		}
	}
	if err := archive.WriteHeader(&tar.Header{
		Typeflag: tar.TypeReg, Name: name, Mode: mode, Size: int64(len(content)), ModTime: r.created,
	}); err != nil {
		return nil, err
	}
	if _, err := archive.Write(content); err != nil {
		return nil, err
	}
	if err := archive.Close(); err != nil {
		return nil, err
	}
	return tarball.LayerFromOpener(func() (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(packed.Bytes())), nil
	})
}
