package convert

import (
	"cmp"
	"time"

	"keyhole/gateway"
	"keyhole/gateway/api"
)

// Link returns a link as the API shows it, without its URL: only the answer to the issue
// has the URL.
func Link(l *gateway.Link) api.Link {
	w := api.Link{
		ID: l.ID.String(), State: string(l.State),
		Storage: l.Ref.Storage, Bucket: l.Ref.Bucket, Key: l.Ref.Key,
		Object: api.Object{
			Size: sizeOrNil(l.Object.Size), ETag: l.Object.ETag, VersionID: l.Object.VersionID,
			ContentType: l.Object.ContentType, LastModified: timeOrNil(l.Object.LastModified),
		},
		Preset: l.Preset, Sensitive: l.Sensitive,
		ExpiresAt: l.ExpiresAt.UTC(), CreatedAt: l.CreatedAt.UTC(), CreatedBy: l.CreatedBy,
		Clicks: l.Clicks, LastUsedAt: timeOrNil(l.LastUsedAt),
		Confirm: l.Confirm, Passphrase: l.Passphrase, NotBefore: timeOrNil(l.NotBefore),
		Filename: l.SaveAs(), Disposition: l.Disposition,
		Allow: []string{}, Pin: l.Pin, Language: l.Language, Note: l.Note, Labels: l.Labels,
		RevokedAt: timeOrNil(l.RevokedAt), RevokedBy: l.RevokedBy, RevokeReason: l.RevokeReason,
		Reveal: cmp.Or(l.Reveal, gateway.RevealBefore), Warnings: []api.Warning{}, Notes: Notes(l.Notes),
	}
	if w.Labels == nil { // {} in JSON
		w.Labels = map[string]string{}
	}
	if l.MaxClicks > 0 { // 0: no limit
		w.MaxClicks = new(l.MaxClicks)
	}
	for _, prefix := range l.Allow {
		w.Allow = append(w.Allow, prefix.String())
	}
	for _, warning := range l.Warnings {
		w.Warnings = append(w.Warnings, api.Warning(warning))
	}
	return w
}

// Notes returns notes as the API shows them, never nil. Warnings and notes have the same
// form, but only warnings are risks.
func Notes(notes []gateway.Note) []api.Note {
	w := make([]api.Note, len(notes))
	for i, note := range notes {
		w[i] = api.Note(note)
	}
	return w
}

// LinkPage returns a page of links as the API shows it. The number of examined entries
// explains a short page, so the last page does not have it.
func LinkPage(page *gateway.ListPage) api.LinkPage {
	w := api.LinkPage{Links: make([]api.Link, len(page.Links)), Next: page.Next}
	if page.Next != "" {
		w.Searched = page.Searched
	}
	for i := range page.Links {
		w.Links[i] = Link(&page.Links[i])
	}
	return w
}

// IssueRequest returns the request of the domain for one link. It has no Idempotency,
// because that comes from a header, or from the session of the console.
func IssueRequest(body *api.IssueRequest) gateway.IssueRequest {
	return gateway.IssueRequest{
		Storage: body.Storage, Bucket: body.Bucket, Key: body.Key,
		Preset: body.Preset, ExpiresIn: body.ExpiresIn, Sensitive: body.Sensitive,
		Filename: body.Filename, Disposition: body.Disposition, Pin: body.Pin, VersionID: body.VersionID,
		Language: body.Language, Note: body.Note, Labels: body.Labels,
		MaxClicks: body.MaxClicks, Passphrase: body.Passphrase, Confirm: body.Confirm, Reveal: body.Reveal,
		Allow: body.Allow, NotBefore: body.NotBefore,
	}
}

// sizeOrNil returns nil for an unknown size.
func sizeOrNil(n int64) *int64 {
	if n == gateway.UnknownSize {
		return nil
	}
	return &n
}

// timeOrNil returns nil for the zero time.
func timeOrNil(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return new(t.UTC())
}
