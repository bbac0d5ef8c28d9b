package gateway

import (
	"mime"
	"path"
	"slices"
	"strings"
)

// shownTypes are the media types that browsers show, or play, without running
// anything in them. TestInlineTypesInChromium tries each of them.
//
//nolint:gochecknoglobals // A table that nothing writes to.
var shownTypes = []string{
	"text/plain",
	"text/markdown",
	"text/css",
	"text/javascript",
	"application/javascript",
	"application/json",
	"application/pdf",
	"image/png",
	"image/apng",
	"image/jpeg",
	"image/gif",
	"image/webp",
	"image/avif",
	"image/bmp",
	"image/x-icon",
	"image/vnd.microsoft.icon",
	"audio/mpeg",
	"audio/mp4",
	"audio/x-m4a",
	"audio/aac",
	"audio/ogg",
	"audio/webm",
	"audio/wav",
	"audio/x-wav",
	"audio/flac",
	"video/mp4",
	"video/webm",
	"video/ogg",
	"video/x-matroska",
	"application/ogg",
}

// savedTypes are the media types that browsers, or some of them, save even if they
// are told to show them. They run nothing in them.
//
//nolint:gochecknoglobals // A table that nothing writes to.
var savedTypes = []string{
	"application/octet-stream",
	"binary/octet-stream",
	"application/zip",
	"application/gzip",
	"application/x-gzip",
	"application/x-tar",
	"application/x-7z-compressed",
	"application/vnd.rar",
	"application/zstd",
	"application/x-bzip2",
	"application/x-xz",
	"application/msword",
	"application/vnd.ms-excel",
	"application/vnd.ms-powerpoint",
	"application/vnd.ms-outlook",
	"application/rtf",
	"application/vnd.openxmlformats-officedocument.wordprocessingml.document",
	"application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
	"application/vnd.openxmlformats-officedocument.presentationml.presentation",
	"application/vnd.oasis.opendocument.text",
	"application/vnd.oasis.opendocument.spreadsheet",
	"application/vnd.oasis.opendocument.presentation",
	"application/epub+zip",
	"application/x-parquet",
	"application/vnd.apache.parquet",
	"application/x-ndjson",
	"application/x-sqlite3",
	"application/vnd.sqlite3",
	"application/x-msdownload",
	"application/vnd.android.package-archive",
	"application/java-archive",
	"text/csv",
	"text/tab-separated-values",
	"text/calendar",
	"text/vcard",
	"image/tiff",
	"image/heic",
	"image/heif",
	"image/vnd.adobe.photoshop",
	"audio/midi",
	"video/x-msvideo",
	"video/mpeg",
	"video/quicktime",
}

// ShownTypes lists the media types that an inline link shows without a warning.
func ShownTypes() []string { return slices.Clone(shownTypes) }

// SavedTypes lists the media types that an inline link warns of as saved.
func SavedTypes() []string { return slices.Clone(savedTypes) }

// mediaType returns the media type of a Content-Type, in lower case, empty if it
// has none. It is strict: of what two parsers may read differently it returns
// nothing. "text/plain; a=b, text/html" is HTML to a browser (Fetch, "extract a
// MIME type").
func mediaType(contentType string) string {
	media, _, err := mime.ParseMediaType(contentType)
	if err != nil || strings.Count(media, "/") != 1 {
		return ""
	}
	return media
}

// inlineWarning tells what is unwise about showing a file of a type inline. A type
// that is in no table counts as active: browsers guess at types that they do not
// know, and may find HTML.
func inlineWarning(contentType string) (Warning, bool) {
	switch media := mediaType(contentType); {
	case slices.Contains(shownTypes, media):
		return Warning{}, false
	case slices.Contains(savedTypes, media):
		return Warning{
			WarnInlineDownload,
			"many browsers save a file of this type although the link asks to show it",
		}, true
	case media == "":
		return Warning{
			WarnInlineActiveType,
			"the object has no valid content type: browsers guess, and may run scripts in it",
		}, true
	}
	return Warning{WarnInlineActiveType, "browsers may run scripts in a file of this type when they show it"}, true
}

// readByRanges tells whether browsers read a file of a type piece by piece while
// they show it, and so come back to the signed URL.
func readByRanges(contentType string) bool {
	media := mediaType(contentType)
	return strings.HasPrefix(media, "audio/") || strings.HasPrefix(media, "video/") ||
		media == "application/ogg" || media == "application/pdf"
}

// contentWarnings tells what is unwise about a link to this object.
func contentWarnings(link *Link) []Warning {
	var found []Warning
	if link.Disposition == DispositionInline {
		if w, unwise := inlineWarning(contentType(link.Object.ContentType)); unwise {
			found = append(found, w)
		}
	}
	if folderMarker(link.Ref.Key, &link.Object) {
		found = append(found, Warning{
			WarnFolderMarker,
			"the object is an empty folder marker; the link does not deliver the files in the folder",
		})
	}
	if playlist(link.Ref.Key, &link.Object) {
		found = append(found, Warning{
			WarnPlaylist,
			"the object is a playlist; the link does not deliver the media files that it names, so players fail",
		})
	}
	return found
}

// folderMarker tells whether an object is what consoles and file systems keep in a
// bucket for an empty folder.
func folderMarker(key string, object *ObjectInfo) bool {
	if object.Size != 0 {
		return false
	}
	media := mediaType(object.ContentType)
	return strings.HasSuffix(key, "/") || strings.HasSuffix(key, "_$folder$") ||
		media == "application/x-directory" || media == "httpd/unix-directory"
}

// playlist tells whether an object is a playlist of HLS or DASH.
func playlist(key string, object *ObjectInfo) bool {
	switch strings.ToLower(path.Ext(key)) {
	case ".m3u8", ".m3u", ".mpd":
		return true
	}
	switch mediaType(object.ContentType) {
	case "application/vnd.apple.mpegurl",
		"application/x-mpegurl",
		"application/mpegurl",
		"audio/mpegurl",
		"audio/x-mpegurl",
		"application/dash+xml":
		return true
	}
	return false
}
