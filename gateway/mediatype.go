package gateway

import (
	"mime"
	"path"
	"slices"
	"strings"
)

// shownTypes are the media types that browsers show or play without running code in
// them. TestInlineTypesInChromium tries each of them.
//
//nolint:gochecknoglobals // A constant table.
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

// savedTypes are the media types that some browsers save even if the answer says inline.
// Browsers run no code in them.
//
//nolint:gochecknoglobals // A constant table.
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

// ShownTypes lists the media types that inline links show without a warning.
func ShownTypes() []string { return slices.Clone(shownTypes) }

// SavedTypes lists the media types for which an inline link has WarnInlineDownload.
func SavedTypes() []string { return slices.Clone(savedTypes) }

// mediaType returns the media type of a Content-Type in lower case, or an empty string.
// mediaType is strict: it returns an empty string for a value that two parsers may read
// differently. A browser reads "text/plain; a=b, text/html" as HTML (Fetch, "extract a
// MIME type").
func mediaType(contentType string) string {
	media, _, err := mime.ParseMediaType(contentType)
	if err != nil || strings.Count(media, "/") != 1 {
		return ""
	}
	return media
}

// inlineWarning returns the risk of showing a file of a type inline. A type in no table
// counts as active, because browsers guess unknown types and may find HTML.
func inlineWarning(contentType string) (Warning, bool) {
	switch media := mediaType(contentType); {
	case slices.Contains(shownTypes, media):
		return Warning{}, false
	case slices.Contains(savedTypes, media):
		return Warning{
			WarnInlineDownload,
			"many browsers save a file of this type even if the disposition is inline",
		}, true
	case media == "":
		return Warning{
			WarnInlineActiveType,
			"the object has no valid content type: browsers guess, and may run scripts in it",
		}, true
	}
	return Warning{WarnInlineActiveType, "browsers may run scripts in a file of this type when they show it"}, true
}

// readByRanges reports whether browsers show a file of this type while they read it in
// ranges. Each range is a request with the same signed URL.
func readByRanges(contentType string) bool {
	media := mediaType(contentType)
	return strings.HasPrefix(media, "audio/") || strings.HasPrefix(media, "video/") ||
		media == "application/ogg" || media == "application/pdf"
}

// contentWarnings returns the risks that come from the type of a link's object.
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

// folderMarker reports whether an object is the marker that consoles and file systems
// write for an empty folder.
func folderMarker(key string, object *ObjectInfo) bool {
	if object.Size != 0 {
		return false
	}
	media := mediaType(object.ContentType)
	return strings.HasSuffix(key, "/") || strings.HasSuffix(key, "_$folder$") ||
		media == "application/x-directory" || media == "httpd/unix-directory"
}

// playlist reports whether an object is an HLS or DASH playlist.
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
