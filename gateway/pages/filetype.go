package pages

import (
	"mime"
	"path"
	"strings"
)

// fileType returns the kind of a file in words. It returns the media type if there is no
// word for the kind, and "" if the kind is unknown. The extension of a program takes
// precedence over the media type, because a device opens a file by its name.
func (c *catalogue) fileType(name, contentType string) string {
	extension := strings.ToLower(strings.TrimPrefix(path.Ext(name), "."))
	media, _, err := mime.ParseMediaType(contentType)
	if err != nil {
		media = ""
	}
	kind := c.kinds.kindOf(extension, media)
	generic := media == "" || media == "application/octet-stream" || media == "binary/octet-stream"
	switch {
	case kind.key != "":
		return strings.ReplaceAll(c.text(kind.key), "{format}", kind.format)
	case !generic:
		return media
	case shortExtension(extension):
		return strings.ReplaceAll(c.text("type_extension"), "{format}", strings.ToUpper(extension))
	}
	return ""
}

// shortExtension reports whether an extension is a word that people may know.
func shortExtension(extension string) bool {
	if extension == "" || len(extension) > 5 {
		return false
	}
	for _, r := range extension {
		if (r < 'a' || r > 'z') && (r < '0' || r > '9') {
			return false
		}
	}
	return true
}

// fileKind is one kind of file: how storages and file names state it, and its text.
type fileKind struct {
	key, format       string   // of the text; format fills its placeholder
	media, extensions []string // in lower case
}

// programKind is the key of the kind that the extension alone decides.
const programKind = "type_program"

// fileKinds returns every kind with a text of its own. Extensions are for storages that report
// no useful media type. The programs are the extensions that Windows, macOS, Android and Linux
// run or install at a double click.
func fileKinds() []fileKind {
	const office, open = "application/vnd.openxmlformats-officedocument.", "application/vnd.oasis.opendocument."
	return []fileKind{
		{programKind, "", nil, []string{
			"exe", "msi", "bat", "cmd", "com", "scr", "ps1", "vbs", "jar", "app", "apk", "sh", "deb", "rpm", "pkg",
		}},
		{"type_disk_image", "", nil, []string{"iso", "dmg", "img", "vhd", "vmdk"}},
		{"type_pdf", "", []string{"application/pdf"}, []string{"pdf"}},
		{"type_document", "", []string{
			"application/msword", office + "wordprocessingml.document", open + "text", "application/rtf", "text/rtf",
		}, []string{"doc", "docx", "odt", "rtf", "pages"}},
		{"type_spreadsheet", "", []string{
			"application/vnd.ms-excel", office + "spreadsheetml.sheet", open + "spreadsheet",
		}, []string{"xls", "xlsx", "ods", "numbers"}},
		{"type_presentation", "", []string{
			"application/vnd.ms-powerpoint", office + "presentationml.presentation", open + "presentation",
		}, []string{"ppt", "pptx", "odp", "key"}},
		{"type_text", "", []string{"text/plain"}, []string{"txt", "log", "md"}},
		{"type_table", "", []string{"text/csv"}, []string{"csv", "tsv"}},
		{"type_web_page", "", []string{"text/html", "application/xhtml+xml"}, []string{"htm", "html"}},
		{"type_calendar", "", []string{"text/calendar"}, []string{"ics"}},
		{"type_contact_card", "", []string{"text/vcard", "text/x-vcard"}, []string{"vcf"}},
		{"type_email", "", []string{"message/rfc822", "application/vnd.ms-outlook"}, []string{"eml", "msg"}},
		{"type_ebook", "", []string{"application/epub+zip"}, []string{"epub", "mobi"}},
		{"type_data", "JSON", []string{"application/json"}, []string{"json"}},
		{"type_data", "XML", []string{"application/xml", "text/xml"}, []string{"xml"}},
		{"type_archive", "ZIP", []string{"application/zip", "application/x-zip-compressed"}, []string{"zip"}},
		{"type_archive", "GZ", []string{"application/gzip", "application/x-gzip"}, []string{"gz"}},
		{"type_archive", "TGZ", nil, []string{"tgz"}},
		{"type_archive", "TAR", []string{"application/x-tar"}, []string{"tar"}},
		{"type_archive", "7Z", []string{"application/x-7z-compressed"}, []string{"7z"}},
		{"type_archive", "RAR", []string{"application/vnd.rar", "application/x-rar-compressed"}, []string{"rar"}},
		{"type_archive", "BZ2", nil, []string{"bz2"}},
		{"type_archive", "XZ", nil, []string{"xz"}},
		{"type_archive", "ZST", nil, []string{"zst"}},
		{"type_image", "PNG", []string{"image/png"}, []string{"png"}},
		{"type_image", "JPEG", []string{"image/jpeg"}, []string{"jpg", "jpeg"}},
		{"type_image", "GIF", []string{"image/gif"}, []string{"gif"}},
		{"type_image", "WebP", []string{"image/webp"}, []string{"webp"}},
		{"type_image", "SVG", []string{"image/svg+xml"}, []string{"svg"}},
		{"type_image", "AVIF", []string{"image/avif"}, []string{"avif"}},
		{"type_image", "HEIC", []string{"image/heic"}, []string{"heic"}},
		{"type_image", "TIFF", []string{"image/tiff"}, []string{"tif", "tiff"}},
		{"type_image", "BMP", []string{"image/bmp"}, []string{"bmp"}},
		{"type_image_any", "", []string{"image/"}, nil},
		{"type_video", "", []string{"video/"}, []string{"mp4", "mov", "mkv", "avi", "webm"}},
		{"type_audio", "", []string{"audio/"}, []string{"mp3", "wav", "flac", "ogg", "m4a"}},
	}
}

// kindIndex finds the kind of a media type or an extension. A media type that ends with a
// slash stands for its whole class.
type kindIndex struct{ media, extensions map[string]fileKind }

// newKindIndex indexes every kind.
func newKindIndex() kindIndex {
	x := kindIndex{media: map[string]fileKind{}, extensions: map[string]fileKind{}}
	for _, kind := range fileKinds() {
		for _, media := range kind.media {
			x.media[media] = kind
		}
		for _, extension := range kind.extensions {
			x.extensions[extension] = kind
		}
	}
	return x
}

// kindOf returns the kind of a file; without a key if it is unknown.
func (x *kindIndex) kindOf(extension, media string) fileKind {
	byExtension := x.extensions[extension]
	if byExtension.key == programKind {
		return byExtension
	}
	class, _, _ := strings.Cut(media, "/")
	for _, stated := range []string{media, class + "/"} {
		if kind, ok := x.media[stated]; ok {
			return kind
		}
	}
	return byExtension
}
