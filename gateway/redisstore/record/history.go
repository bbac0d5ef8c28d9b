package record

import (
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"keyhole/gateway"
)

// The values of the byte that holds Link.Sensitive.
const (
	sensitiveUnstated = 0
	sensitiveNo       = 1
	sensitiveYes      = 2
)

// The bits of the byte that holds Link.Confirm and Link.Passphrase.
const (
	opensConfirmed  = 1
	opensPassphrase = 2
)

// The values of the byte that holds Link.Reveal.
const (
	revealUnstated = 0
	revealAfter    = 1
	revealBefore   = 2
)

// actionDownload is the letter of the only known Link.Action. A later release that adds
// an action defines its letter and the fields after the letter. This release refuses
// other letters. It also refuses such a link by a flag of its permission.
const actionDownload = 'd'

// HistoryHeadWidth is the length in bytes of the fixed part of a history, which the
// scripts keep before the body.
const HistoryHeadWidth = 41

// revisionWidth is the length of the place of an operation in the history's head.
const revisionWidth = PlaceWidth

// VersionOf returns the version of a link's records: the oldest one that can
// express the link.
func VersionOf(l *gateway.Link) byte {
	if l.Reveal == gateway.RevealBefore && l.Passphrase || l.Language != "" || l.Sender != "" {
		return Extended
	}
	if l.NeedsConfirmation() || len(l.Allow) > 0 || !l.NotBefore.IsZero() {
		return Restricted
	}
	return Plain
}

// HistoryBody packs a link in a version, except for its times and counts, which the
// scripts keep in the head.
func HistoryBody(l *gateway.Link, version byte) []byte {
	b := AppendString(nil, l.Ref.Storage)
	b = AppendString(b, l.Ref.Bucket)
	b = AppendString(b, l.Ref.Key)
	b = binary.AppendUvarint(b, uint64(max(l.Object.Size, 0)))
	b = appendETag(b, l.Object.ETag)
	b = AppendString(b, l.Object.VersionID)
	b = appendContentType(b, l.Object.ContentType)
	b = AppendTime(b, l.Object.LastModified)
	b = AppendString(b, l.Preset)
	sensitive := byte(sensitiveUnstated)
	if l.Sensitive != nil {
		sensitive = sensitiveNo
		if *l.Sensitive {
			sensitive = sensitiveYes
		}
	}
	b = append(b, sensitive)
	b = AppendString(b, l.CreatedBy)
	b = AppendString(b, l.Filename)
	b = appendDisposition(b, l.Disposition)
	b = AppendString(b, l.Pin)
	b = AppendString(b, l.Note)
	b = binary.AppendUvarint(b, uint64(len(l.Labels)))
	for _, name := range slices.Sorted(maps.Keys(l.Labels)) {
		b = AppendString(b, name)
		b = AppendString(b, l.Labels[name])
	}
	if version >= Restricted {
		b = appendRestrictions(b, l)
	}
	if version >= Extended {
		b = appendExtension(b, l)
	}
	return b
}

// historyBody reads the fields of every version that HistoryBody wrote.
func (d *Decoder) historyBody(l *gateway.Link) {
	l.Ref = gateway.ObjectRef{Storage: d.Text(), Bucket: d.Text(), Key: d.Text()}
	l.Object = gateway.ObjectInfo{
		Size: d.Number(), ETag: d.etag(), VersionID: d.Text(), ContentType: d.contentType(), LastModified: d.time(),
	}
	l.Preset = d.Text()
	if stated := d.Fixed(1); stated != sensitiveUnstated {
		sensitive := stated == sensitiveYes
		l.Sensitive = &sensitive
	}
	l.CreatedBy = d.Text()
	l.Filename = d.Text()
	l.Disposition = d.disposition()
	l.Pin = d.Text()
	l.Note = d.Text()
	for range d.Number() {
		name := d.Text()
		if d.Err != nil {
			return
		}
		if l.Labels == nil {
			l.Labels = make(map[string]string)
		}
		l.Labels[name] = d.Text()
	}
}

// appendRestrictions appends the fields that Restricted adds to Plain.
func appendRestrictions(b []byte, l *gateway.Link) []byte {
	opens := byte(0)
	if l.Confirm {
		opens |= opensConfirmed
	}
	if l.Passphrase {
		opens |= opensPassphrase
	}
	b = append(b, opens)
	b = binary.AppendUvarint(b, uint64(l.MaxClicks)) //nolint:gosec // Never negative.
	b = AppendString(b, PackPrefixes(l.Allow))
	return AppendTime(b, l.NotBefore)
}

// restrictions reads the fields that appendRestrictions wrote.
func (d *Decoder) restrictions(l *gateway.Link) {
	opens := d.Fixed(1)
	l.Confirm, l.Passphrase = opens&opensConfirmed != 0, opens&opensPassphrase != 0
	l.MaxClicks = d.Number()
	prefixes, err := unpackPrefixes(d.Text())
	l.Allow, l.NotBefore = prefixes, d.time()
	if d.Err == nil && opens > opensConfirmed|opensPassphrase {
		err = fmt.Errorf("%w: unknown flags of confirmation and passphrase: %d", gateway.ErrRecord, opens)
	}
	d.Err = errors.Join(d.Err, err)
}

// appendExtension appends the fields that Extended adds to Restricted: the action and its
// fields, Reveal, the language and the sender's name.
func appendExtension(b []byte, l *gateway.Link) []byte {
	reveal := byte(revealUnstated)
	switch l.Reveal {
	case gateway.RevealAfter:
		reveal = revealAfter
	case gateway.RevealBefore:
		reveal = revealBefore
	}
	b = append(b, actionDownload, reveal)
	return AppendString(AppendString(b, l.Language), l.Sender)
}

// extension reads the fields that appendExtension wrote.
func (d *Decoder) extension(l *gateway.Link) {
	action, reveal := d.Fixed(1), d.Fixed(1)
	switch reveal {
	case revealAfter:
		l.Reveal = gateway.RevealAfter
	case revealBefore:
		l.Reveal = gateway.RevealBefore
	}
	l.Language, l.Sender = d.Text(), d.Text()
	if d.Err == nil && (action != actionDownload || reveal > revealBefore) {
		d.Err = fmt.Errorf("%w: unknown action %d or reveal %d", gateway.ErrRecord, action, reveal)
	}
}

// FillDefaults sets Action and Reveal, which older records do not hold: the only action,
// and RevealAfter for a link with a passphrase.
func FillDefaults(l *gateway.Link) {
	l.Action = gateway.LinkDownload
	if l.Passphrase && l.Reveal == "" {
		l.Reveal = gateway.RevealAfter
	}
}

// RevocationFields packs the operator and the reason of a revocation. The script appends
// them to the history.
func RevocationFields(actor, reason string) []byte {
	return AppendString(AppendString(nil, actor), reason)
}

// CheckLink returns an error for a link that records and indexes cannot store: the
// disposition is unknown, the action is not download (a record of this version would turn
// it into a download), or a name contains NUL, which the indexes use as a separator.
func CheckLink(l *gateway.Link) error {
	if l.Action != "" && l.Action != gateway.LinkDownload {
		return fmt.Errorf("unknown action %q; the only action is %s", l.Action, gateway.LinkDownload)
	}
	if _, err := letterFor(dispositionLetters, parseDisposition, l.Disposition); err != nil {
		return fmt.Errorf("unknown disposition: %w", err)
	}
	for _, s := range []string{l.Ref.Bucket, l.Ref.Key} {
		if strings.Contains(s, "\x00") {
			return errors.New("the bucket or key contains NUL; such objects cannot be shared")
		}
	}
	for name := range l.Labels {
		if strings.Contains(name, "\x00") {
			return errors.New("a label name contains NUL; remove it")
		}
	}
	return nil
}
