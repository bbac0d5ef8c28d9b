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
	// Link erases every address from the events of this link. If Link is zero, the erasure
	// erases Addresses from the events of all links.
	Link ID
	// Addresses are all forms in which events may hold the address.
	Addresses []string
	// Subject is the address as the operator wrote it. A cursor is valid only for the Link
	// and Subject of the call that returned it.
	Subject string
	Reason  string // for the event of the erasure
	Cursor  string // position at which the call continues; empty: the start
	DryRun  bool   // count the events, and change and record nothing
	// Budget is the time after which the call returns even if events are left.
	Budget time.Duration
}

// ErasureResult is the result of one call of an erasure.
type ErasureResult struct {
	// FeedEvents and LinkEvents count the events of the audit feed, and of links' own
	// histories, whose address this call erased, or would erase without DryRun.
	FeedEvents int
	LinkEvents int
	// Unreadable counts events that this version cannot read. The call has not changed
	// them.
	Unreadable int
	// Done reports that all events were read, by this call and the calls before it, and
	// that none was Unreadable.
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
	DryRun bool // count the events, and change and record nothing
}

// Erase erases either all addresses of recipients and operators from the events of one
// link, or one address from the events of all links. The events stay. An event without an
// address records the erasure. The actor needs the right to revoke and, for one address,
// the scope of all objects. One call takes about two seconds. Repeat the call with the
// cursor of its result until the result has no cursor. A dry run needs the same rights.
func (s *Service) Erase(ctx context.Context, actor *Actor, req *ErasureRequest) (ErasureResult, error) {
	if err := actor.Allowed(ActionRevoke); err != nil {
		return ErasureResult{}, err
	}
	if found := checkErasure(req); len(found) > 0 {
		return ErasureResult{}, invalidFields(found...)
	}
	erasure := Erasure{Reason: req.Reason, Cursor: req.Cursor, DryRun: req.DryRun, Budget: eraseBudget}
	if req.Link == nil {
		if !actor.Unrestricted() {
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
		if _, err := s.find(ctx, actor, *req.Link); err != nil && (!errors.Is(err, ErrNotFound) || !actor.Unrestricted()) {
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

// The codes of the places in which an erasure leaves addresses.
const (
	RemainsFiles   = "redis_files"
	RemainsLog     = "log"
	RemainsOthers  = "other_systems"
	RemainsHashes  = "old_hashes"
	RemainsAllowed = "allowed_addresses"
)

// Remains returns the places in which an erasure leaves addresses. oneAddress is true for
// the erasure of one address, and false for the erasure of one link.
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
