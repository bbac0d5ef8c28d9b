package gateway

import (
	"slices"
	"testing"
	"time"
)

func TestIssueWarns(t *testing.T) {
	t.Parallel()
	inline := IssueRequest{Bucket: "exports", Key: "a", Disposition: DispositionInline, Pin: PinNone}
	tests := []struct {
		name     string
		insecure bool
		skew     time.Duration
		content  string
		request  IssueRequest
		want     []string
	}{
		{name: "nothing", content: "text/html", request: IssueRequest{Bucket: "exports", Key: "a"}},
		{name: "pinned by ETag, which is a note", request: IssueRequest{Bucket: "exports", Key: "a", Pin: PinETag}},
		{
			name: "plain http", insecure: true, request: IssueRequest{Bucket: "exports", Key: "a"},
			want: []string{"http_public_url"},
		},
		{name: "a day", request: IssueRequest{Bucket: "exports", Key: "a", ExpiresIn: "24h"}},
		{
			name: "two days", request: IssueRequest{Bucket: "exports", Key: "a", ExpiresIn: "2d", Sensitive: new(false)},
			want: []string{"long_expiry"},
		},
		{name: "inline text", content: "text/plain", request: inline},
		{name: "inline HTML", content: "Text/HTML; charset=utf-8", request: inline, want: []string{"inline_active_type"}},
		{name: "inline SVG", content: "image/svg+xml", request: inline, want: []string{"inline_active_type"}},
		{name: "inline XML", content: "application/xml", request: inline, want: []string{"inline_active_type"}},
		{name: "under five seconds", skew: -4999 * time.Millisecond, request: IssueRequest{Bucket: "exports", Key: "a"}},
		{
			name: "behind", skew: -5 * time.Second, request: IssueRequest{Bucket: "exports", Key: "a"},
			want: []string{"storage_clock_skew"},
		},
		{name: "a clock not known", skew: time.Hour, request: IssueRequest{Bucket: "archive", Key: "a"}},
		{
			name: "all", insecure: true, skew: time.Hour, content: "text/html",
			request: IssueRequest{
				Bucket: "exports", Key: "a", Disposition: DispositionInline, ExpiresIn: "7d", Sensitive: new(false),
			},
			want: []string{"http_public_url", "long_expiry", "inline_active_type", "storage_clock_skew"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if tt.request.Pin == "" {
				tt.request.Pin = PinNone // which warns of nothing
			}
			f := newFixture(t, func(o *Options) { o.Insecure = tt.insecure })
			f.skew, f.objects.info.ContentType = tt.skew, tt.content
			issued, err := f.service.Issue(t.Context(), everything(), &tt.request)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, w := range issued.Link.Warnings {
				got = append(got, w.Code)
				if w.Message == "" {
					t.Errorf("%s says nothing", w.Code)
				}
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("got %v, want %v", got, tt.want)
			}
			if len(f.store.created[0].Warnings) != 0 {
				t.Error("the warnings are stored")
			}
		})
	}
}
