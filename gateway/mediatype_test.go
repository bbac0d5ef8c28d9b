package gateway

import (
	"slices"
	"testing"
)

// warnedOf issues a link and returns the codes of its warnings.
func warnedOf(t *testing.T, key, disposition string, object ObjectInfo) []string {
	t.Helper()
	f := newFixture(t, nil)
	f.objects.info = object
	f.objects.info.ETag = `"e"` // without one it warns of that
	issued, err := f.service.Issue(
		t.Context(),
		everything(),
		&IssueRequest{Bucket: "exports", Key: key, Disposition: disposition, Pin: PinNone},
	)
	if err != nil {
		t.Fatal(err)
	}
	var codes []string
	for _, w := range issued.Link.Warnings {
		codes = append(codes, w.Code)
		if !slices.Contains(WarningCodes(), w.Code) {
			t.Errorf("the code %s is not one of WarningCodes", w.Code)
		}
	}
	return codes
}

// A type that is not known to be harmless counts as active: browsers guess at the
// types that they do not know, and may find HTML.
func TestIssueWarnsOfInlineTypes(t *testing.T) {
	t.Parallel()
	types := map[string][]string{
		WarnInlineActiveType: {
			"text/html",
			"Text/HTML; charset=utf-8",
			" text/html",
			"application/xhtml+xml",
			"image/svg+xml",
			"application/xml",
			"text/xml",
			"text/xsl",
			"application/rss+xml",
			"application/atom+xml",
			"application/mathml+xml",
			"multipart/related",
			"message/rfc822",
			"multipart/x-mixed-replace",
			"unknown/unknown",
			"application/unknown",
			"*/*",
			"text/html,x",
			"html",
			"",
			";",
			"text/*",
			"text/plain, text/html",
			"text/plain; charset=x, text/html",
			"text/plain;, text/html",
			"text/plain/html",
			"image/x-something",
			"audio/x-something",
			"text/plain; charset",
			"text/plain; a=b; a=c",
		},
		WarnInlineDownload: {
			"application/octet-stream",
			"Application/Octet-Stream; a=b",
			"binary/octet-stream",
			"application/zip",
			"application/gzip",
			"application/msword",
			"application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
			"text/html; é",
			"text/csv",
		},
		"": {
			"text/plain",
			"Text/Plain; Charset=UTF-8",
			"application/pdf",
			"image/png",
			"image/jpeg",
			"image/gif",
			"image/webp",
			"image/avif",
			"audio/mpeg",
			"video/mp4",
			`video/mp4; codecs="avc1.42E01E, mp4a.40.2"`,
			"application/ogg",
			"application/json",
		},
	}
	for code, all := range types {
		var want []string
		if code != "" {
			want = []string{code}
		}
		for _, contentType := range all {
			if got := warnedOf(
				t,
				"a",
				DispositionInline,
				ObjectInfo{Size: 3, ContentType: contentType},
			); !slices.Equal(
				got,
				want,
			) {
				t.Errorf("%q inline: warned %v, want %v", contentType, got, want)
			}
			if got := warnedOf(
				t,
				"a",
				DispositionAttachment,
				ObjectInfo{Size: 3, ContentType: contentType},
			); len(
				got,
			) != 0 {
				t.Errorf("%q as an attachment: warned %v", contentType, got)
			}
		}
	}
}

// A link delivers one object: what stands for more deserves a warning.
func TestIssueWarnsOfWhatIsNoFile(t *testing.T) {
	t.Parallel()
	const plain = "text/plain"
	tests := []struct {
		key, contentType string
		size             int64
		want             []string
	}{
		{"dir/", plain, 0, []string{WarnFolderMarker}},
		{"a/dir_$folder$", plain, 0, []string{WarnFolderMarker}},
		{"dir", "application/x-directory", 0, []string{WarnFolderMarker}},
		{"dir", "application/x-directory; charset=UTF-8", 0, []string{WarnFolderMarker}},
		{"dir/", plain, UnknownSize, nil},
		{"dir/", plain, 3, nil},
		{"empty", plain, 0, nil},
		{"film.m3u8", plain, 3, []string{WarnPlaylist}},
		{"film.M3U8", plain, 3, []string{WarnPlaylist}},
		{"film.m3u", plain, 3, []string{WarnPlaylist}},
		{"film.mpd", plain, 3, []string{WarnPlaylist}},
		{"film", "application/vnd.apple.mpegurl", 3, []string{WarnPlaylist}},
		{"film", "application/x-mpegURL", 3, []string{WarnPlaylist}},
		{"film", "audio/mpegurl; charset=utf-8", 3, []string{WarnPlaylist}},
		{"film", "application/dash+xml", 3, []string{WarnPlaylist}},
		{"film.mp4", "video/mp4", 3, nil},
		{"m3u8", plain, 3, nil},
		{"film.m3u8/notes.txt", plain, 3, nil},
	}
	for _, tt := range tests {
		if got := warnedOf(
			t,
			tt.key,
			DispositionAttachment,
			ObjectInfo{Size: tt.size, ContentType: tt.contentType},
		); !slices.Equal(
			got,
			tt.want,
		) {
			t.Errorf("%s of %d bytes as %s: warned %v, want %v", tt.key, tt.size, tt.contentType, got, tt.want)
		}
	}
}
