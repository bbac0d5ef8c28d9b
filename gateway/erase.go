package gateway

import (
	"context"
	"errors"
	"strings"
	"time"
)

// eraseBudget is the approximate duration of one call of an erasure.
const eraseBudget = 2 * time.Second

// Erasure selects the client addresses to erase from events.
type Erasure struct {
	// Link limits the erasure to the events of one link, and erases every address; zero:
	// the events of all links with one of Addresses.
	Link ID
	// Addresses are all forms in which events may hold the address.
	Addresses []string
	// Subject is the address as the operator wrote it. A cursor is valid only for the Link
	// and Subject of the call that returned it.
	Subject string
	Reason  string // for the event of the erasure
	Cursor  string // position at which the call continues; empty: the start
	// Budget is the time after which the call returns even if events are left.
	Budget time.Duration
}

// ErasureResult is the result of one call of an erasure.
type ErasureResult struct {
	FeedEvents int // events of the audit feed whose address this call erased
	LinkEvents int // events of links' own histories whose address this call erased
	// Unreadable counts events that this version cannot read. The call has not changed
	// them.
	Unreadable int
	// Done reports that this call and the calls that led to its cursor have read all
	// events, and were able to read them.
	Done bool
	Next string // cursor of the next call; empty: no event is left to read
}

// ErasureRequest asks for an erasure. Exactly one of Link and Address is set.
type ErasureRequest struct {
	Link    *ID
	Address string // as the operator wrote it
	// Forms are all forms in which events may hold the address.
	Forms  []string
	Reason string
	Cursor string
}

// Erase erases the addresses of the clients, recipients and operators, from the events of
// one link, or one address from all events. It keeps the events. The erasure leaves an
// event without an address. Erase needs the right to revoke. To erase an address from all
// events, the actor's scope must be all objects. One call takes about two seconds: repeat
// it with the cursor of the result until the result has no cursor.
func (s *Service) Erase(ctx context.Context, actor *Actor, req *ErasureRequest) (ErasureResult, error) {
	if err := actor.Allowed(ActionRevoke); err != nil {
		return ErasureResult{}, err
	}
	if found := checkErasure(req); len(found) > 0 {
		return ErasureResult{}, invalidFields(found...)
	}
	erasure := Erasure{Reason: req.Reason, Cursor: req.Cursor, Budget: eraseBudget}
	if req.Link == nil {
		if !actor.seesAll() {
			const why = `an address is erased from the events of all links, which needs a key whose objects are "*"`
			return ErasureResult{}, &Error{
				Code: CodeOutOfScope, Message: why, Fields: []FieldError{{"address", string(CodeOutOfScope), why}},
			}
		}
		erasure.Addresses, erasure.Subject = req.Forms, req.Address
	} else {
		if *req.Link == (ID{}) { // No link has this ID, and the store reads it as all links.
			return ErasureResult{}, storeError(ErrNotFound)
		}
		// The feed may have events of a link whose retention is over. Only a key that may
		// see all objects may see them.
		if _, err := s.find(ctx, actor, *req.Link); err != nil && (!errors.Is(err, ErrNotFound) || !actor.seesAll()) {
			return ErasureResult{}, err
		}
		erasure.Link = *req.Link
	}
	result, err := s.store.Erase(ctx, erasure, actor.origin())
	if err != nil {
		return result, storeError(err)
	}
	return result, nil
}

// checkErasure returns the errors in a request.
func checkErasure(req *ErasureRequest) []FieldError {
	var found []FieldError
	switch {
	case req.Link == nil && req.Address == "":
		found = append(found, FieldError{"link", "required", "send link or address"})
	case req.Link != nil && req.Address != "":
		found = append(found, FieldError{"address", "conflict", "send either link or address, not both"})
	}
	for _, form := range append(req.Forms, req.Address) {
		if form != "" && strings.Contains(req.Reason, form) {
			found = append(found, FieldError{
				"reason", "invalid", "the reason contains the address, and the event of the erasure would keep it; remove it",
			})
			break
		}
	}
	return append(found, checkText("reason", req.Reason)...)
}

// The codes of what an erasure does not reach.
const (
	RemainsFiles   = "redis_files"
	RemainsLog     = "log"
	RemainsOthers  = "other_systems"
	RemainsHashes  = "old_hashes"
	RemainsAllowed = "allowed_addresses"
)

// Remains returns what an erasure does not reach. oneAddress says that the erasure was of
// one address and not of one link.
func Remains(oneAddress bool) []Note {
	remains := []Note{
		{RemainsFiles, "the files of Redis and its replicas keep erased addresses until Redis writes them again " +
			"(BGREWRITEAOF, BGSAVE), and backups of these files keep them until you delete the backups"},
		{RemainsLog, "the log of the service has addresses of refused clicks and of operators; delete it where you store it"},
		{RemainsOthers, "proxies in front of the service, and the storage that recipients download from, " +
			"have their own logs"},
	}
	if oneAddress {
		remains = append(remains, Note{
			RemainsHashes, "events that are older than two days and hold a hash of the address are not found; " +
				"the key of that hash is deleted, so nobody can compute the address from it",
		})
	}
	return append(remains, Note{
		RemainsAllowed, "the addresses that a link allows (allow) are a setting of the link " +
			"and stay until its retention is over",
	})
}
