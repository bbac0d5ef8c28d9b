package redisstore

import (
	"crypto/sha1" //nolint:gosec // Redis names scripts by their SHA-1.
	"embed"
	"encoding/hex"
	"fmt"
)

//go:embed lua/*.lua
var sources embed.FS

// script is one Lua script: its source, and the digest that EVALSHA calls it by.
type script struct {
	source string
	digest string
	// flat says that the script itself puts the identifier of its call before its
	// reply. Scripts of clicks do: a function and a table for each call would be a
	// tenth of what they cost.
	flat bool
}

// scripts are all that a Store runs. Their keys, arguments and returns stand in
// the heads of their files.
type scripts struct {
	admit, spend, note, try, untry    script
	reserve, reserved, confirm        script
	create, change, revoke, revokeAll script
	read, events, page                script
	active, horizon, rights           script
}

// Every script that is not flat is the body of a function. What calls it takes the
// identifier of the call off the arguments and returns it beside the script's reply,
// by which the caller knows that the reply is its own.
const (
	scriptHead = "local CALL = table.remove(ARGV)\nlocal function main()\n"
	scriptFoot = "end\nreturn {CALL, main()}\n"
)

// compile joins each script from the parts that it is made of.
func compile() (scripts, error) {
	var s scripts
	for target, parts := range map[*script][]string{
		&s.admit:     {"codec", "event", "judge", "admit"},
		&s.spend:     {"codec", "event", "judge", "live", "useup", "spend"},
		&s.note:      {"codec", "event", "note"},
		&s.try:       {"codec", "try"},
		&s.untry:     {"untry"},
		&s.reserve:   {"reserve"},
		&s.reserved:  {"codec", "reserved"},
		&s.confirm:   {"codec", "record", "view", "confirm"},
		&s.create:    {"codec", "record", "view", "operation", "live", "keep", "terms", "create"},
		&s.change:    {"codec", "record", "view", "operation", "live", "keep", "useup", "terms", "insert", "change"},
		&s.revoke:    {"codec", "event", "record", "view", "operation", "live", "keep", "end", "revoke"},
		&s.revokeAll: {"codec", "event", "record", "operation", "live", "keep", "end", "revokeall"},
		&s.read:      {"codec", "record", "view", "read"},
		&s.events:    {"codec", "events"},
		&s.page:      {"codec", "terms", "page"},
		&s.active:    {"codec", "active"},
		&s.horizon:   {"codec", "horizon"},
		&s.rights:    {"rights"},
	} {
		for _, part := range parts {
			text, err := sources.ReadFile("lua/" + part + ".lua")
			if err != nil {
				return scripts{}, fmt.Errorf("read a script: %w", err)
			}
			target.source += string(text)
		}
		target.flat = target == &s.admit || target == &s.spend
		if !target.flat {
			target.source = scriptHead + target.source + scriptFoot
		}
		sum := sha1.Sum([]byte(target.source)) //nolint:gosec // Redis names scripts by their SHA-1.
		target.digest = hex.EncodeToString(sum[:])
	}
	return s, nil
}
