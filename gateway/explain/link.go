package explain

import (
	"strconv"
	"strings"
	"time"

	"keyhole/gateway"
	"keyhole/gateway/api"
)

// Usable tells whether a link that was just issued does what it is for, now or later: an
// earlier try may have issued it.
func Usable(link *api.Link) bool {
	return link.State == string(gateway.StateActive) || link.State == string(gateway.StateNotYet)
}

// Pin writes what a click must find.
func Pin(l *api.Link) string {
	switch l.Pin {
	case gateway.PinVersion:
		return "version " + l.Object.VersionID
	case gateway.PinETag:
		return "ETag " + l.Object.ETag
	}
	return "nothing: recipients get what lies under the key"
}

// Sensitivity writes what was stated of the content.
func Sensitivity(stated *bool) string {
	if stated == nil {
		return "not stated"
	}
	if *stated {
		return "yes"
	}
	return "no"
}

// SensitivityReason writes what is held of the content, and by whom.
func SensitivityReason(asked *api.IssueRequest, link *api.Link) string {
	if asked.Sensitive == nil && link.Sensitive != nil {
		return Sensitivity(link.Sensitive) + ": the policy's sensitive_objects has it"
	}
	return Sensitivity(link.Sensitive)
}

// ExpiryReason says why a link lives as long as it does.
func ExpiryReason(asked *api.IssueRequest, link *api.Link) string {
	switch {
	case asked.ExpiresIn != "":
		return "as asked for"
	case asked.Preset != "":
		return link.Preset
	case link.Sensitive == nil:
		return link.Preset + ", as sensitivity is not stated"
	case *link.Sensitive:
		return link.Preset + ", as it is sensitive"
	}
	return link.Preset + ", as it is not sensitive"
}

// Audience says who can use a link, before what else it asks for.
func Audience(link *api.Link) string {
	if link.Passphrase {
		return "whoever has the link and the passphrase"
	}
	return "whoever has the link"
}

// Restrictions names what stands between a link and who has it, a line for each.
func Restrictions(link *api.Link) [][]string {
	var lines [][]string
	if link.MaxClicks != nil {
		lines = append(lines, []string{"uses", strconv.FormatInt(*link.MaxClicks, 10) + " at most"})
	}
	if link.Passphrase {
		asks := "a passphrase"
		if link.Reveal == gateway.RevealAfter {
			asks += "; the page shows nothing about the file before it"
		}
		lines = append(lines, []string{"asks for", asks})
	}
	if link.MaxClicks != nil || link.Passphrase || link.Confirm {
		lines = append(lines, []string{"shows", "a page first; its button alone counts"})
	}
	if link.NotBefore != nil {
		lines = append(lines, []string{"begins", link.NotBefore.Format(time.RFC3339)})
	}
	if len(link.Allow) > 0 {
		lines = append(lines, []string{"only from", strings.Join(link.Allow, ", ")})
	}
	return lines
}
