package explain

import (
	"strings"

	"keyhole/gateway"
	"keyhole/gateway/api"
)

// Usable reports whether an issued link works now, or will work from its NotBefore on. A
// request with the idempotency key of an earlier request returns the earlier link, which
// may have ended.
func Usable(link *api.Link) bool {
	return link.State == string(gateway.StateActive) || link.State == string(gateway.StateNotYet)
}

// Pin says which object a click on a link delivers.
func Pin(l *api.Link) string {
	switch l.Pin {
	case gateway.PinVersion:
		return "version " + l.Object.VersionID
	case gateway.PinETag:
		return "ETag " + l.Object.ETag
	}
	// Also for a pin of a newer service: this text promises a recipient the least.
	return "nothing: each download gets the object that has this key at that time"
}

// Sensitivity writes the stated sensitivity of the content; nil: it was not stated.
func Sensitivity(stated *bool) string {
	if stated == nil {
		return "not stated"
	}
	if *stated {
		return "yes"
	}
	return "no"
}

// SensitivityReason writes the sensitivity of a link. If the policy decided the sensitivity
// because the request did not state it, SensitivityReason adds that reason.
func SensitivityReason(request *api.IssueRequest, link *api.Link) string {
	if request.Sensitive == nil && link.Sensitive != nil {
		return Sensitivity(link.Sensitive) + ": the policy's sensitive_objects says so"
	}
	return Sensitivity(link.Sensitive)
}

// ExpiryReason says why a link lives as long as it does: the request's own time, its
// preset, or the preset that follows from the sensitivity.
func ExpiryReason(request *api.IssueRequest, link *api.Link) string {
	switch {
	case request.ExpiresIn != "":
		return "as requested"
	case request.Preset != "":
		return link.Preset
	case link.Sensitive == nil:
		return link.Preset + ", because sensitivity was not stated"
	case *link.Sensitive:
		return link.Preset + ", because the object is sensitive"
	}
	return link.Preset + ", because the object is not sensitive"
}

// Audience says who can use a link. Restrictions has further conditions.
func Audience(link *api.Link) string {
	if link.Passphrase {
		return "anyone with the link and the passphrase"
	}
	return "anyone with the link"
}

// Restrictions returns what limits the use of a link, as pairs of a name and a text.
func Restrictions(link *api.Link) [][]string {
	var lines [][]string
	if link.MaxClicks != nil {
		lines = append(lines, []string{"uses", "at most " + Number(*link.MaxClicks)})
	}
	if link.Passphrase {
		asks := "a passphrase"
		if link.Reveal == gateway.RevealAfter {
			asks += "; until then the page shows nothing about the file"
		}
		lines = append(lines, []string{"asks for", asks})
	}
	// A page protects each use of a limited link from programs that only look at URLs.
	switch {
	case link.MaxClicks != nil:
		lines = append(lines, []string{"shows", "a page first; only its button uses up the link"})
	case link.Passphrase || link.Confirm:
		lines = append(lines, []string{"shows", "a page first"})
	}
	// In the zone of the answer, so that a console and the API show the same text.
	if link.NotBefore != nil {
		lines = append(lines, []string{"begins", Moment(*link.NotBefore)})
	}
	if len(link.Allow) > 0 {
		lines = append(lines, []string{"only from", strings.Join(link.Allow, ", ")})
	}
	return lines
}
