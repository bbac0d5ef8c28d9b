package record

import (
	"errors"

	"keyhole/gateway"
)

// Undecided is the letter that replaces an outcome if the caller must check a grant or a
// form before the click is decided.
const Undecided = 'k'

// ParseAdmission reads the string that lua/admit.lua returns for one click. If the letter
// is Undecided, the outcome is empty. The error is gateway.ErrRecord. A refusal with an
// unreadable history is a refusal without facts, because the script has decided it.
func ParseAdmission(answer string, id gateway.ID) (admission gateway.Admission, err error) {
	d := Decoder{Rest: answer}
	letter := byte(d.Fixed(1)) //nolint:gosec // One byte.
	if letter != Undecided || d.Err != nil {
		if admission.Outcome, err = ParseOutcome(letter); err != nil || d.Rest == "" {
			return admission, err
		}
	}
	now := d.Fixed(6)
	switch admission.Outcome {
	case gateway.OutcomeRedirected:
		err = readPermission(&admission.Permission, d.Rest, now)
		return admission, errors.Join(d.Err, err)
	case gateway.OutcomePage, gateway.OutcomeConfirmationRequired, "":
		err = readConfirmation(&admission, &d, now, id)
		return admission, err
	}
	if link, err := (View{Now: now, History: d.Rest}).Link(id); err == nil && d.Err == nil {
		admission.Facts = gateway.FactsOf(&link)
	}
	return admission, nil
}

// readConfirmation reads the rest of an answer for a link that needs confirmation.
func readConfirmation(admission *gateway.Admission, d *Decoder, now int64, id gateway.ID) (err error) {
	used := d.Take(1) == "u"
	permission := d.Take(uint64(d.Fixed(3))) //nolint:gosec // Never negative.
	if d.Err != nil {
		return d.Err
	}
	if err = readPermission(&admission.Permission, permission, now); err != nil {
		return err
	}
	admission.Now, admission.UsedUp = Time(now), used
	link, err := View{Now: now, History: d.Rest, Permission: permission[:headWidth]}.Link(id)
	admission.Link = &link
	return err
}
