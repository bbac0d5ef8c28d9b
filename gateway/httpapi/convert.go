package httpapi

import (
	"cmp"
	"time"

	"keyhole/gateway"
	"keyhole/gateway/api"
)

// linkJSON returns a link as the API shows it.
func linkJSON(l *gateway.Link) api.Link {
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
		Reveal: cmp.Or(l.Reveal, gateway.RevealBefore), Warnings: []api.Warning{}, Notes: []api.Note{},
	}
	if w.Labels == nil {
		w.Labels = map[string]string{}
	}
	if l.MaxClicks > 0 {
		w.MaxClicks = new(l.MaxClicks)
	}
	for _, prefix := range l.Allow {
		w.Allow = append(w.Allow, prefix.String())
	}
	for _, warning := range l.Warnings {
		w.Warnings = append(w.Warnings, api.Warning(warning))
	}
	for _, note := range l.Notes {
		w.Notes = append(w.Notes, api.Note(note))
	}
	return w
}

// eventJSON returns an event as the API shows it.
func eventJSON(e *gateway.Event) api.Event {
	w := api.Event{
		ID: e.ID, Time: e.Time.UTC(), Kind: string(e.Kind), Link: e.Link.String(), Outcome: string(e.Outcome),
		Method: e.Method, Actor: e.Actor, Address: e.Address, Reason: e.Reason,
	}
	if e.Kind == gateway.EventErased && e.Link == (gateway.ID{}) {
		w.Link = "" // an erasure from the events of all links
	}
	return w
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
