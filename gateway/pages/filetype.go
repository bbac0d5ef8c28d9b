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
	key, format := kindOfExtension(extension)
	if key != "type_program" {
		if byMedia, its := kindOfMedia(media); byMedia != "" {
			key, format = byMedia, its
		}
	}
	generic := media == "" || media == "application/octet-stream" || media == "binary/octet-stream"
	switch {
	case key != "":
		return strings.ReplaceAll(c.text(key), "{format}", format)
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

// kindOfMedia returns the key of a media type's text and its format.
func kindOfMedia(media string) (key, format string) {
	switch media {
	case "application/pdf":
		return "type_pdf", ""
	case "application/msword", "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
		"application/vnd.oasis.opendocument.text", "application/rtf", "text/rtf":
		return "type_document", ""
	case "application/vnd.ms-excel", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
		"application/vnd.oasis.opendocument.spreadsheet":
		return "type_spreadsheet", ""
	case "application/vnd.ms-powerpoint", "application/vnd.openxmlformats-officedocument.presentationml.presentation",
		"application/vnd.oasis.opendocument.presentation":
		return "type_presentation", ""
	case "text/plain":
		return "type_text", ""
	case "text/csv":
		return "type_table", ""
	case "text/html", "application/xhtml+xml":
		return "type_web_page", ""
	case "text/calendar":
		return "type_calendar", ""
	case "text/vcard", "text/x-vcard":
		return "type_contact_card", ""
	case "message/rfc822", "application/vnd.ms-outlook":
		return "type_email", ""
	case "application/epub+zip":
		return "type_ebook", ""
	case "application/json":
		return "type_data", "JSON"
	case "application/xml", "text/xml":
		return "type_data", "XML"
	case "application/zip", "application/x-zip-compressed":
		return "type_archive", "ZIP"
	case "application/gzip", "application/x-gzip":
		return "type_archive", "GZ"
	case "application/x-tar":
		return "type_archive", "TAR"
	case "application/x-7z-compressed":
		return "type_archive", "7Z"
	case "application/vnd.rar", "application/x-rar-compressed":
		return "type_archive", "RAR"
	}
	return kindOfMediaClass(media)
}

// kindOfMediaClass returns the key of an image, video or sound.
func kindOfMediaClass(media string) (key, format string) {
	class, subtype, _ := strings.Cut(media, "/")
	switch class {
	case "video":
		return "type_video", ""
	case "audio":
		return "type_audio", ""
	case "image":
		known := map[string]string{
			"png": "PNG", "jpeg": "JPEG", "gif": "GIF", "webp": "WebP", "svg+xml": "SVG", "avif": "AVIF", "heic": "HEIC",
			"tiff": "TIFF", "bmp": "BMP",
		}
		if format = known[subtype]; format != "" {
			return "type_image", format
		}
		return "type_image_any", ""
	}
	return "", ""
}

// kindOfExtension returns the key of a file name's extension and its format, for storages
// that report no useful media type. The programs are the extensions that Windows, macOS,
// Android and Linux run or install at a double click.
func kindOfExtension(extension string) (key, format string) {
	switch extension {
	case "exe", "msi", "bat", "cmd", "com", "scr", "ps1", "vbs", "jar", "app", "apk", "sh", "deb", "rpm", "pkg":
		return "type_program", ""
	case "iso", "dmg", "img", "vhd", "vmdk":
		return "type_disk_image", ""
	case "pdf":
		return "type_pdf", ""
	case "doc", "docx", "odt", "rtf", "pages":
		return "type_document", ""
	case "xls", "xlsx", "ods", "numbers":
		return "type_spreadsheet", ""
	case "ppt", "pptx", "odp", "key":
		return "type_presentation", ""
	case "txt", "log", "md":
		return "type_text", ""
	case "csv", "tsv":
		return "type_table", ""
	case "htm", "html":
		return "type_web_page", ""
	case "ics":
		return "type_calendar", ""
	case "vcf":
		return "type_contact_card", ""
	case "eml", "msg":
		return "type_email", ""
	case "epub", "mobi":
		return "type_ebook", ""
	case "json", "xml":
		return "type_data", strings.ToUpper(extension)
	case "zip", "gz", "tgz", "tar", "7z", "rar", "bz2", "xz", "zst":
		return "type_archive", strings.ToUpper(extension)
	case "jpg", "jpeg":
		return "type_image", "JPEG"
	case "png", "gif", "svg", "bmp", "heic", "avif":
		return "type_image", strings.ToUpper(extension)
	case "webp":
		return "type_image", "WebP"
	case "tif", "tiff":
		return "type_image", "TIFF"
	case "mp4", "mov", "mkv", "avi", "webm":
		return "type_video", ""
	case "mp3", "wav", "flac", "ogg", "m4a":
		return "type_audio", ""
	}
	return "", ""
}
