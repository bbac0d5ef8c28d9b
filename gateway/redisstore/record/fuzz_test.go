package record

import (
	"errors"
	"strings"
	"testing"

	"keyhole/gateway"
)

// TestCutRecords truncates records everywhere: each is refused, and none panics.
func TestCutRecords(t *testing.T) {
	sensitive := true
	link := gateway.Link{
		Ref: gateway.ObjectRef{Storage: "s", Bucket: "b", Key: strings.Repeat("k", 200)}, Sensitive: &sensitive,
		Labels: map[string]string{"a": "b"},
	}
	head := "\x01\x01" + strings.Repeat("\x01", 6*4+5+10)
	history := head + string(HistoryBody(&link, Plain)) + string(RevocationFields("alice", "why"))
	if _, err := (View{History: history}).Link(link.ID); err != nil {
		t.Fatalf("the whole history: %v", err)
	}
	permission := "\x01\x01" + strings.Repeat("\x00", 17) + string(PermissionBody(&link, &gateway.Secrets{}))
	if err := readPermission(&gateway.Permission{}, permission, 0); err != nil {
		t.Fatalf("the whole permission: %v", err)
	}
	for what, err := range map[string]error{
		"history":    func() error { _, err := (View{History: history + "\x00"}).Link(link.ID); return err }(),
		"permission": readPermission(&gateway.Permission{}, permission+"\x00", 0),
	} {
		if !errors.Is(err, gateway.ErrRecord) {
			t.Errorf("a %s with another field: %v", what, err)
		}
	}
	element := "\x01dgd" + strings.Repeat("\x01", 11) + PackAddress("192.0.2.1")
	if _, err := ParseClick(link.ID, element); err != nil {
		t.Fatalf("the whole click: %v", err)
	}
	op := strings.Repeat("\x01", 16) + "i" + NoPlace + string(OperationFields(gateway.Origin{Actor: "alice"}, "why"))
	if _, err := ParseOperation(1, 1, op); err != nil {
		t.Fatalf("the whole operation: %v", err)
	}
	for record, parse := range map[string]func(string) error{
		history:    func(s string) error { _, err := (View{History: "\x01" + s}).Link(link.ID); return err },
		permission: func(s string) error { return readPermission(&gateway.Permission{}, s, 0) },
		element:    func(s string) error { _, err := ParseClick(link.ID, s); return err },
		op:         func(s string) error { _, err := ParseOperation(1, 1, s); return err },
	} {
		for n := range len(record) {
			cut := record[:n]
			if record == history && n > 0 {
				cut = record[1:n]
			}
			if record == element && n == len(element)-5 {
				continue // A click is complete without its address.
			}
			if err := parse(cut); !errors.Is(err, gateway.ErrRecord) {
				t.Errorf("cut after %d of %d bytes: %v", n, len(record), err)
			}
		}
	}
}

// FuzzRecords reads arbitrary bytes: no record panics or allocates without limit.
func FuzzRecords(f *testing.F) {
	f.Add("\x01\x00" + strings.Repeat("\xff", 60))
	f.Add("\x01dgd" + strings.Repeat("\x80", 30))
	f.Add("r\x00\x00\x00\x00\x00\x01\x01\x01" + strings.Repeat("\xff", 60))
	f.Fuzz(func(_ *testing.T, s string) {
		_, _ = (View{History: s, Permission: s}).Link(gateway.ID{})
		_, _ = (View{History: s, NewestClick: s}).Link(gateway.ID{})
		_ = readPermission(&gateway.Permission{}, s, 0)
		_, _ = ParseAdmission(s, gateway.ID{})
		_, _ = ParseClick(gateway.ID{}, s)
		_, _ = ParseOperation(1, 1, s)
	})
}
