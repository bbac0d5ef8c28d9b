package record

import (
	"fmt"

	"keyhole/gateway"
)

// The values of the end in a history's head.
const (
	endNone    = 0
	endRevoked = 1
	endUsedUp  = 2
)

// View holds the records of a link at one moment, as the function view of lua/view.lua
// returns them.
type View struct {
	Now         int64  // Unix milliseconds of Redis' clock
	History     string // empty: Redis has no such link
	Permission  string // its head; empty: the link has no permission
	NewestClick string // the newest click's event, if the link has no permission
	LastUse     string // the packed time of the last download; empty: none, or not read
}

// Link returns the link of the view. The error is gateway.ErrNotFound if Redis has no
// such link or its retention is over, and gateway.ErrRecord if this version cannot read a
// record.
func (v View) Link(id gateway.ID) (gateway.Link, error) {
	if v.History == "" {
		return gateway.Link{}, gateway.ErrNotFound
	}
	d := Decoder{Rest: v.History}
	version := d.Fixed(1)
	if version < Plain || version > Extended {
		return gateway.Link{}, fmt.Errorf("%w: unknown history version %d", gateway.ErrRecord, version)
	}
	end := d.Fixed(1)
	link := gateway.Link{ID: id, CreatedAt: Time(d.Fixed(6)), ExpiresAt: Time(d.Fixed(6))}
	ended, forgotten, clicks := d.Fixed(6), d.Fixed(6), d.Fixed(5)
	link.Revision = d.Take(revisionWidth)
	d.historyBody(&link)
	if version >= Restricted {
		d.restrictions(&link)
	}
	if version >= Extended {
		d.extension(&link)
	}
	FillDefaults(&link)
	if end == endRevoked {
		link.RevokedAt, link.RevokedBy, link.RevokeReason = Time(ended), d.Text(), d.Text()
	}
	if err := d.End(); err != nil {
		return gateway.Link{}, err
	}
	if forgotten <= v.Now {
		return gateway.Link{}, gateway.ErrNotFound
	}
	link.Clicks = clicks
	if v.LastUse != "" {
		d := Decoder{Rest: v.LastUse}
		link.LastUsedAt = Time(d.Fixed(6))
		if err := d.End(); err != nil {
			return gateway.Link{}, err
		}
	}
	return link, v.setState(&link, end)
}

// Open reports whether the link has a permission that has not expired.
func (v View) Open() bool {
	permission, err := parseHead(v.Permission)
	return err == nil && permission.expires > v.Now
}

// setState sets the link's state and, unless the history holds the final count,
// its clicks.
func (v View) setState(link *gateway.Link, end int64) error {
	switch end {
	case endRevoked:
		link.State = gateway.StateRevoked
		return nil
	case endUsedUp:
		link.State = gateway.StateUsedUp
		return nil
	case endNone:
	default:
		return fmt.Errorf("%w: unknown end %d", gateway.ErrRecord, end)
	}
	link.State = gateway.StateExpired
	if v.Permission == "" {
		if v.NewestClick != "" {
			event, err := ParseClick(link.ID, v.NewestClick)
			link.Clicks = event.Clicks
			return err
		}
		return nil
	}
	permission, err := parseHead(v.Permission)
	link.Clicks = permission.clicks
	switch {
	case err != nil:
		return err
	case permission.expires <= v.Now:
	case permission.flags&flagPaused != 0:
		link.State = gateway.StatePaused
	case permission.notBefore > v.Now:
		link.State = gateway.StateNotYet
	default:
		link.State = gateway.StateActive
	}
	return nil
}
