package gateway

import (
	"slices"
	"strings"
	"testing"
)

// everyLink is an actor that may revoke, and sees all objects.
func everyLink() *Actor {
	return &Actor{Name: "dpo", Can: []Action{ActionRevoke}, Objects: []Pattern{"*"}}
}

func TestErase(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil)
	id := f.put(StateActive, ObjectRef{"main", "exports", "a"})
	result, err := f.service.Erase(t.Context(), only(ActionRevoke), &ErasureRequest{Link: &id, Reason: "r", Cursor: "c"})
	e := f.store.erasure
	if err != nil || !result.Done || e.Link != id || e.Reason != "r" || e.Cursor != "c" || e.Budget != eraseBudget ||
		e.Addresses != nil {
		t.Errorf("one link: got %+v, %v; the store was asked for %+v", result, err, e)
	}
	forms := []string{"192.0.2.9", "192.0.2.0/24"}
	_, err = f.service.Erase(t.Context(), everyLink(), &ErasureRequest{Address: "192.0.2.9", Forms: forms})
	if e := f.store.erasure; err != nil || e.Link != (ID{}) || !slices.Equal(e.Addresses, forms) ||
		e.Subject != "192.0.2.9" {
		t.Errorf("one address: %v; the store was asked for %+v", err, e)
	}
	_, err = f.service.Erase(t.Context(), everyLink(), &ErasureRequest{Address: "192.0.2.9", Forms: forms, DryRun: true})
	if err != nil || !f.store.erasure.DryRun || e.DryRun {
		t.Errorf("a dry run: %v; the store was asked for %+v", err, f.store.erasure)
	}
	// Only a key for all objects may erase the events of a link that is forgotten.
	if _, err := f.service.Erase(t.Context(), everyLink(), &ErasureRequest{Link: &ID{7}}); err != nil {
		t.Errorf("a forgotten link: %v", err)
	}
}

func TestEraseIsRefused(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil)
	id := f.put(StateActive, ObjectRef{"main", "exports", "a"})
	other := f.put(StateActive, ObjectRef{"main", "reports", "a"})
	address := ErasureRequest{Address: "192.0.2.9", Forms: []string{"192.0.2.9", "192.0.2.0/24"}}
	said := address
	said.Reason = "for 192.0.2.0/24"
	tests := []struct {
		name    string
		actor   *Actor
		request ErasureRequest
		want    Code
	}{
		{"may not", only(ActionRead, ActionIssue, ActionBrowse), ErasureRequest{Link: &id}, CodeForbidden},
		{"out of scope", only(ActionRevoke), ErasureRequest{Link: &other}, CodeNotFound},
		{"the zero ID", everyLink(), ErasureRequest{Link: &ID{}}, CodeNotFound},
		{"not there", only(ActionRevoke), ErasureRequest{Link: &ID{7}}, CodeNotFound},
		{"an address of other links", only(ActionRevoke), address, CodeOutOfScope},
		{"neither", everyLink(), ErasureRequest{}, CodeInvalid},
		{"both", everyLink(), ErasureRequest{Link: &id, Address: "192.0.2.9"}, CodeInvalid},
		{"a long reason", everyLink(), ErasureRequest{Link: &id, Reason: strings.Repeat("r", 1001)}, CodeInvalid},
		{"a reason with the address", everyLink(), said, CodeInvalid},
	}
	for _, tt := range tests {
		calls := f.store.erasure
		_, err := f.service.Erase(t.Context(), tt.actor, &tt.request)
		wantCode(t, err, tt.want)
		if f.store.erasure.Link != calls.Link || f.store.erasure.Subject != calls.Subject {
			t.Errorf("%s: the store was asked", tt.name)
		}
	}
	f.store.err = ErrUnavailable
	_, err := f.service.Erase(t.Context(), everyLink(), &ErasureRequest{Link: &id})
	wantCode(t, err, CodeUnavailable)
}
