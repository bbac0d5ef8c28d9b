package httpapi

import (
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	"keyhole/gateway"
)

// Every page states its length, whether net/http adds the header or not, and so does HEAD.
func TestLengthOfPages(t *testing.T) {
	t.Parallel()
	short, long := 0, 0
	for length := 0; length < 600; length += 50 {
		b := newBench(t, func(o *Options) { o.Pages.Branding.Organization = strings.Repeat("x", length) })
		b.store.outcome, b.store.facts = gateway.OutcomePaused, &gateway.Facts{Reference: "01234567"}
		address := serve(t, b.api.Public())
		for _, path := range []string{"/x", "/" + liveToken} {
			get := wire(t, address, line("GET", path, "Accept: text/html"))
			head := wire(t, address, line("HEAD", path, "Accept: text/html"))
			want := strconv.Itoa(len(get.body))
			if get.header.Get("Content-Length") != want || head.header.Get("Content-Length") != want || head.body != "" {
				t.Errorf("%s: %s bytes, got %v, HEAD %v", path, want, get.header, head.header)
			}
			if len(get.body) > maxUnstated {
				long++
			} else {
				short++
			}
		}
	}
	if short == 0 || long == 0 {
		t.Errorf("%d short and %d long pages", short, long)
	}
}

// interrupted is a ResponseWriter that calls during while it is given the content.
type interrupted struct {
	*httptest.ResponseRecorder

	during func()
}

func (w *interrupted) Write(p []byte) (int, error) {
	w.during()
	return w.ResponseRecorder.Write(p)
}

// Pages with facts share buffers, but never at the same time: a page that is being sent
// keeps the reference of its own link while another one is rendered.
func TestPagesWithFactsKeepTheirBuffer(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	public := b.api.Public()
	refuse := func(reference string, w http.ResponseWriter) {
		b.store.outcome, b.store.facts = gateway.OutcomePaused, &gateway.Facts{Reference: reference}
		r := httptest.NewRequest(http.MethodGet, "/"+liveToken, http.NoBody)
		r.Header.Set("Accept", "text/html")
		public.ServeHTTP(w, r)
	}
	first, second := httptest.NewRecorder(), httptest.NewRecorder()
	refuse("aaaaaaaa", &interrupted{first, func() { refuse("bbbbbbbb", second) }})
	for reference, w := range map[string]*httptest.ResponseRecorder{"aaaaaaaa": first, "bbbbbbbb": second} {
		if body := w.Body.String(); strings.Count(body, reference) != 1 || !strings.HasSuffix(body, "</html>\n") {
			t.Errorf("the page of %s: %d %s", reference, w.Code, body)
		}
	}
}
