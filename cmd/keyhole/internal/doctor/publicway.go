package doctor

import (
	"context"
	"fmt"
	"net/http"
	"net/netip"
	"strings"

	"keyhole/gateway/httpapi"
)

// The checks of what a proxy in front of Keyhole does with requests and answers. They read
// what the service itself saw of the probes.

// setForwarded is the advice about X-Forwarded-For.
const setForwarded = "let the proxy set X-Forwarded-For to the address of its client, as the files of deploy/proxy do"

// proxy checks by which address the service knows recipients.
func (e *publicExam) proxy(got *publicAnswer, probed *httpapi.Probed) {
	peer := probed.Peer
	if address, err := netip.ParseAddrPort(peer); err == nil {
		peer = address.Addr().Unmap().String()
	}
	// Only the last entry is of interest: earlier ones may be what the doctor sent.
	last := lastForwarded(probed.Forwarded)
	added := last != "" && last != forgedAddress
	switch {
	case probed.Peer == got.local: // the same connection, so nothing is in between
		e.note(levelOK, checkProxy, "requests arrive without a proxy, from "+peer, "")
	case probed.Trusted && last == forgedAddress:
		e.note(levelFailure, checkProxy, "the proxy at "+peer+" passes on the X-Forwarded-For of its clients, so everyone "+
			"can choose the address that Keyhole limits, accepts and records", setForwarded)
	case probed.Trusted && !added:
		e.note(levelFailure, checkProxy,
			"the proxy at "+peer+" sends no X-Forwarded-For, so all recipients have its address", setForwarded)
	case probed.Trusted:
		e.note(levelOK, checkProxy, "requests arrive through the trusted proxy "+peer+", from "+last, "")
	case added:
		e.note(levelFailure, checkProxy, "the proxy at "+peer+" is not trusted, so all recipients have its address: they "+
			"share one limit, and address lists refuse them", "add "+peer+" to public.trusted_proxies if it is your proxy")
	case got.tls != nil && !probed.TLS: // something in between has ended TLS
		e.note(levelFailure, checkProxy,
			"the proxy at "+peer+" sends no X-Forwarded-For, so all recipients have its address",
			setForwarded+", and add "+peer+" to public.trusted_proxies")
	default:
		e.note(levelOK, checkProxy, "requests from here arrive from "+peer+", and nothing adds X-Forwarded-For", "")
	}
}

// answers checks that methods and answers arrive unchanged, and that nothing keeps answers.
// The path is that of the first probe, whose answer a cache may have.
func (e *publicExam) answers(ctx context.Context, path string) {
	head, err := e.ask(ctx, http.MethodHead, path, 0)
	if err != nil {
		e.note(levelFailure, checkAnswers, "a HEAD is not answered: "+lastReason(withoutURL(err)),
			"run keyhole doctor again")
		return
	}
	probed, err := e.open(ctx, head)
	again, againErr := e.ask(ctx, http.MethodGet, path, 0)
	switch {
	case err != nil || againErr != nil || !e.isAnswered(ctx, again):
		e.note(levelFailure, checkAnswers,
			"something in front of Keyhole answers from a cache, or only some requests reach it",
			"turn off caching for this host")
	case probed.Method != http.MethodHead:
		e.note(levelFailure, checkAnswers,
			"a proxy turns HEAD into "+probed.Method+", so the preview of a link counts a click",
			"turn off caching for this host, or the conversion of HEAD (nginx: proxy_cache_convert_head off)")
	case !again.notFound || again.status != http.StatusNotFound:
		e.note(levelWarning, checkAnswers, fmt.Sprintf("a proxy replaces the pages of Keyhole: status %d", again.status),
			"pass on the answers of Keyhole (nginx: proxy_intercept_errors off), because they tell recipients what to do")
	default:
		e.note(levelOK, checkAnswers, "requests and answers arrive unchanged, and nothing is cached", "")
	}
}

// location checks that a proxy passes on a Location as long as it can be.
func (e *publicExam) location(ctx context.Context, path string) {
	got, err := e.ask(ctx, http.MethodGet, path, LongestLocation)
	switch {
	case err != nil || !e.isAnswered(ctx, got):
		reason := "no answer"
		if err == nil {
			reason = fmt.Sprintf("status %d", got.status)
		}
		e.note(levelFailure, checkLocation, fmt.Sprintf("a header of %d bytes does not arrive (%s): downloads with long "+
			"names fail after the click was counted", LongestLocation, reason),
			"enlarge the buffers for headers in the proxy (nginx: proxy_buffer_size 32k, proxy_buffers 4 32k)")
	default:
		e.note(levelOK, checkLocation, fmt.Sprintf("a header of %d bytes arrives", LongestLocation), "")
	}
}

// redirect checks that plain http leads to public.url. Without any answer there, links work
// as well; people who leave out https then see an error of their browser.
func (e *publicExam) redirect(ctx context.Context, path string) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, e.plain+path, http.NoBody)
	if err != nil {
		return // the URL was valid before
	}
	answer, err := e.client.Do(r)
	if err != nil {
		e.note(levelOK, checkRedirect, "nothing answers plain http", "")
		return
	}
	defer answer.Body.Close()
	location := answer.Header.Get("Location")
	const do = "redirect plain http with 302 to public.url and the same path"
	// A redirect of http to http, or by way of another name, would send the link in clear text
	// again.
	switch {
	case answer.StatusCode/100 != 3:
		e.note(levelWarning, checkRedirect, fmt.Sprintf("plain http is not redirected: status %d", answer.StatusCode), do)
	case location != e.config.URL+path:
		target, _, _ := strings.Cut(location, "?")
		e.note(levelWarning, checkRedirect, "plain http is redirected to another address: "+target, do)
	case answer.StatusCode != http.StatusFound && answer.StatusCode != http.StatusTemporaryRedirect:
		e.note(levelWarning, checkRedirect, fmt.Sprintf("plain http is redirected with %d, which browsers keep, and the "+
			"link with it", answer.StatusCode), do)
	default:
		e.note(levelOK, checkRedirect, "plain http is redirected to https", "")
	}
}
