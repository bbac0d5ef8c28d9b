package redisstore

import (
	"crypto/sha1" //nolint:gosec // Redis names scripts by their SHA-1.
	"embed"
	"encoding/hex"
	"fmt"
)

//go:embed lua/*.lua
var sources embed.FS

// script is one Lua script: its source, and the digest that EVALSHA takes.
type script struct {
	source string
	digest string
	// flat means that the script itself puts the identifier of the call before its reply.
	// The scripts of clicks are flat, because a function and a table per call would be a
	// tenth of their cost.
	flat bool
}

// scripts are all scripts of a Store. The head of each Lua file documents KEYS, ARGV and
// the reply.
type scripts struct {
	admit, spend, recordEvent, attempt script
	reservation, create, change        script
	revoke, read, events, page, find   script
	active, retentionHorizon, rights   script
	eraseStream, eraseLists            script // for the erasure of addresses
	recordOperation                    script
	// For sessions of the console.
	createSession, readSession, endSession, countSessions, signIn script
	acme                                                          script // for certificates
}

// Every script that is not flat becomes the body of the function main. The code around
// main removes the identifier of the call from ARGV and returns it with the reply. The
// gateway compares the identifier to make sure that the reply belongs to the call.
const (
	scriptHead = "local CALL = table.remove(ARGV)\nlocal function main()\n"
	scriptFoot = "end\nreturn {CALL, main()}\n"
)

// compile joins each script from its files.
func compile() (scripts, error) {
	var s scripts
	for target, files := range map[*script][]string{
		&s.admit:            {"codec", "event", "judge", "admit"},
		&s.spend:            {"codec", "event", "judge", "live", "spend"},
		&s.recordEvent:      {"codec", "event", "recordevent"},
		&s.attempt:          {"codec", "attempt"},
		&s.reservation:      {"codec", "reservation"},
		&s.create:           {"codec", "view", "operation", "live", "index", "create"},
		&s.change:           {"codec", "view", "operation", "live", "index", "insert", "restrict", "change"},
		&s.revoke:           {"codec", "event", "view", "operation", "live", "revoke"},
		&s.read:             {"codec", "view", "read"},
		&s.events:           {"codec", "events"},
		&s.page:             {"codec", "index", "page"},
		&s.find:             {"codec", "index", "find"},
		&s.active:           {"codec", "active"},
		&s.retentionHorizon: {"codec", "retention"},
		&s.rights:           {"rights"},
		&s.eraseStream:      {"codec", "erasestream"},
		&s.eraseLists:       {"codec", "eraselists"},
		&s.recordOperation:  {"codec", "operation", "recordoperation"},
		&s.createSession:    {"codec", "session", "sessioncreate"},
		&s.readSession:      {"codec", "session", "sessionread"},
		&s.endSession:       {"codec", "sessionend"},
		&s.countSessions:    {"codec", "sessioncount"},
		&s.signIn:           {"signin"},
		&s.acme:             {"acme"},
	} {
		for _, file := range files {
			text, err := sources.ReadFile("lua/" + file + ".lua")
			if err != nil {
				return scripts{}, fmt.Errorf("read an embedded script: %w", err)
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
