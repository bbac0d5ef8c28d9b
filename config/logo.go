package config

import (
	"bytes"
	"errors"
	"fmt"
	"image/png"
)

const (
	maxLogo     = 32 << 10 // bytes
	maxLogoSide = 2048     // pixels
)

// The media types of a logo.
const (
	MediaTypePNG = "image/png"
	MediaTypeSVG = "image/svg+xml"
)

// Logo is the content of pages.logo_file, exactly as in the file.
type Logo struct {
	Content   []byte // nil: there is no logo
	MediaType string // MediaTypePNG or MediaTypeSVG; "" if there is no logo
}

// ReadLogo reads a logo and checks it by the rules of pages.logo_file. The path "" is no
// logo. Load checks the same rules, but the file can change between Load and ReadLogo, and
// after each change of the file it must be read again.
func ReadLogo(path string) (Logo, error) {
	if path == "" {
		return Logo{}, nil
	}
	data, _, err := readFile(path, maxLogo)
	if err != nil {
		return Logo{}, fmt.Errorf("pages.logo_file: %w", err)
	}
	logo, err := parseLogo(data)
	if err != nil {
		return Logo{}, fmt.Errorf("pages.logo_file: %s %w", quote(path), err)
	}
	return logo, nil
}

// pngSignature begins every PNG file.
const pngSignature = "\x89PNG\r\n\x1a\n"

// utf8BOM is the byte order mark that some editors write at the beginning of a file.
const utf8BOM = "\xef\xbb\xbf"

// parseLogo checks the content of a logo. Its errors continue a sentence that begins with
// the name of the file.
func parseLogo(data []byte) (Logo, error) {
	if bytes.HasPrefix(data, []byte(pngSignature)) {
		return Logo{Content: data, MediaType: MediaTypePNG}, checkPNG(data)
	}
	text := bytes.TrimPrefix(data, []byte(utf8BOM))
	if !bytes.HasPrefix(bytes.TrimLeft(text, " \t\r\n"), []byte("<")) {
		return Logo{}, errors.New("is neither PNG nor SVG in UTF-8: convert the logo to one of them")
	}
	return Logo{Content: data, MediaType: MediaTypeSVG}, checkSVG(text)
}

// checkPNG decodes an image. It reads the dimensions first, because 32 KiB can decode to
// gigabytes.
func checkPNG(data []byte) error {
	header, err := png.DecodeConfig(bytes.NewReader(data))
	if err != nil {
		return errors.New("is not a valid PNG: export it again")
	}
	if header.Width > maxLogoSide || header.Height > maxLogoSide {
		return fmt.Errorf("has %dx%d pixels; the limit is %dx%d: make the image smaller",
			header.Width, header.Height, maxLogoSide, maxLogoSide)
	}
	r := bytes.NewReader(data)
	if _, err := png.Decode(r); err != nil {
		return errors.New("is not a valid PNG: export it again")
	}
	if r.Len() > 0 {
		return fmt.Errorf("has %d bytes after the end of the PNG: export it again", r.Len())
	}
	return nil
}
