package console

import (
	"context"
	"net/url"
	"strconv"
	"strings"
	"time"

	"keyhole/gateway"
)

// explainedFor is the age up to which the page of a link explains its last refusal at the
// top. Recipients who ask for help have usually tried on the same day.
const explainedFor = 24 * time.Hour

// lastRefusal returns the newest refusal among events, newest first, or nil if it is older
// than a day. A later download makes no difference: another recipient may have made it.
func lastRefusal(events []gateway.Event, now time.Time) *eventRow {
	for i := range events {
		if now.Sub(events[i].Time) > explainedFor {
			return nil
		}
		if events[i].Kind == gateway.EventRefused || events[i].Kind == gateway.EventFailed {
			row := eventRowOf(&events[i], now)
			return &row
		}
	}
	return nil
}

// othersLimit is the number of other links that the page of a link shows.
const othersLimit = 10

// othersBudget is the number of links of the same object that the page of a link looks at,
// beside its events: see listBudget.
const othersBudget = 1000

// otherLinks returns the live links of the same object. more reports whether there may be
// others: a page looks at a limited number of links.
func (c *Console) otherLinks(
	ctx context.Context, actor *gateway.Actor, link *gateway.Link, now time.Time,
) (rows []linkRow, more bool, err error) {
	filter := gateway.LinkFilter{State: liveStates, Bucket: link.Ref.Bucket, Key: link.Ref.Key}
	q, _ := filter.Query() // These filters have no errors.
	q.Limit, q.Budget = othersLimit+1, othersBudget
	page, err := c.o.Service.List(ctx, actor, q)
	if err != nil {
		return nil, false, err
	}
	for i := range page.Links {
		other := &page.Links[i]
		if other.ID == link.ID || other.Ref != link.Ref {
			continue
		}
		if len(rows) == othersLimit {
			return rows, true, nil
		}
		rows = append(rows, rowOf(other, actor, newMoment(other.ExpiresAt, now)))
	}
	return rows, page.Next != "", nil
}

// stillWorks returns the time until which presigned URLs may work that recipients got before
// the link was revoked. It is unknown if the link is not revoked.
func (c *Console) stillWorks(link *gateway.Link, now time.Time) moment {
	if link.RevokedAt.IsZero() {
		return moment{}
	}
	return newMoment(link.RevokedAt.Add(c.o.Service.URLLife(link)), now)
}

// settingsOf returns the query of the share form with the settings of a link. Nobody knows
// its passphrase, so the service makes another. A start that is over is left out.
func settingsOf(link *gateway.Link, now time.Time) url.Values {
	v := objectQuery(link.Ref.Storage, link.Ref.Bucket, link.Ref.Key)
	set := func(name, value string) {
		if value != "" {
			v.Set(name, value)
		}
	}
	if link.Preset != gateway.PresetCustom {
		set("preset", link.Preset)
	} else {
		life := max(link.ExpiresAt.Sub(link.CreatedAt).Truncate(time.Second), time.Second)
		set("expires_in", gateway.FormatLife(life))
	}
	if link.NotBefore.After(now) {
		set("not_before", link.NotBefore.UTC().Format(time.RFC3339))
	}
	if link.Sensitive != nil {
		set("sensitive", strconv.FormatBool(*link.Sensitive))
	}
	if link.MaxClicks > 0 {
		set("max_clicks", strconv.FormatInt(link.MaxClicks, 10))
	}
	if link.Passphrase {
		set("make_passphrase", "1")
		set("reveal", link.Reveal)
	}
	if link.Confirm {
		set("confirm", "1")
	}
	set("allow", strings.Join(networkTexts(link.Allow), "\n"))
	set("filename", link.Filename)
	set("note", link.Note)
	set("language", link.Language)
	set("labels", strings.Join(labelTexts(link.Labels), "\n"))
	if link.Disposition == gateway.DispositionInline {
		set("disposition", link.Disposition)
	}
	if link.Pin == gateway.PinNone {
		set("pin", link.Pin)
	}
	return v
}
