package httpapi

import (
	"net/http"
	"net/url"
	"strings"
	"sync"

	"github.com/labstack/echo/v4"

	"keyhole/gateway"
	"keyhole/gateway/pages"
)

// pageSet holds the pages for recipients, in all languages and with the branding of one
// configuration.
type pageSet struct {
	renderer *pages.Renderer
	refusals map[gateway.Outcome]*refusal
	// prefetched is the refusal of a link that a browser loaded before the user opened
	// it.
	prefetched *refusal
	buffers    sync.Pool // of *[]byte, for pages with facts
}

// newPageSet renders all pages that are the same for every link.
func newPageSet(o pages.Options) (*pageSet, error) {
	renderer, err := pages.New(o)
	if err != nil {
		return nil, err
	}
	set := &pageSet{
		renderer: renderer, refusals: map[gateway.Outcome]*refusal{},
		buffers: sync.Pool{New: func() any { return new([]byte) }},
	}
	for _, outcome := range gateway.Outcomes() {
		if delivers(outcome) {
			continue
		}
		if set.refusals[outcome], err = set.newRefusal(pages.Refusal{Outcome: outcome}); err != nil {
			return nil, err
		}
	}
	set.prefetched, err = set.newRefusal(pages.Refusal{Outcome: gateway.OutcomeBadRequest, Prefetched: true})
	return set, err
}

// SetPages replaces the languages and the branding of the pages for recipients, from the
// next request on. After an error the previous pages stay.
func (a *API) SetPages(o pages.Options) error {
	set, err := newPageSet(o)
	if err != nil {
		return err
	}
	a.pages.Store(set)
	return nil
}

// locale returns the locale of an answer about a link. link is the language of the link;
// empty: unknown.
func (s *pageSet) locale(r *http.Request, link string) *pages.Locale {
	return s.renderer.Locale(queryLanguage(r), link, r.Header["Accept-Language"])
}

// queryLanguage returns the value of the first query parameter lang, "" without one. It
// ignores every other parameter, also a broken one, and parses none of them: a request can
// have thousands.
func queryLanguage(r *http.Request) string {
	for parameter := range strings.SplitSeq(r.URL.RawQuery, "&") {
		if value, ok := strings.CutPrefix(parameter, "lang="); ok {
			tag, err := url.QueryUnescape(value)
			if err != nil {
				return "" // no tag of a language
			}
			return tag
		}
	}
	return ""
}

// assetPolicy is the Content-Security-Policy of assets: a logo that somebody opens as a
// page must do nothing.
const assetPolicy = "default-src 'none'; sandbox"

// The values of Cache-Control for assets. A year is the longest useful time (RFC 9111
// section 1.2.2). A path with another hash belongs to another gateway or an earlier
// configuration, so its content must not be kept.
const (
	cacheForever = "public, max-age=31536000, immutable"
	cacheNever   = "no-store"
)

// asset answers a request for an asset of the pages.
func (a *API) asset(c echo.Context, asset *pages.Asset, current bool) error {
	cache := cacheNever
	if current {
		cache = cacheForever
	}
	setHeaders(c, fixedHeaders(cache, assetPolicy, fixedHeader{"X-Robots-Tag", []string{"noindex, nofollow"}}))
	return writeBody(c, http.StatusOK, asset.MediaType, asset.Content)
}
