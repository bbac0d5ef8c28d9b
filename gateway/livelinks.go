package gateway

import (
	"context"
	"slices"
)

// MaxLiveKeys is the largest number of keys for which LiveLinks counts links at once.
const MaxLiveKeys = 1000

// LiveCount is the number of links of an object that have not ended.
type LiveCount struct {
	Links int
	// AtLeast says that the object may have more live links than Links, because one
	// request examines a limited number of links.
	AtLeast bool
}

// LiveLinks returns the number of live links of each object with one of the keys, at most
// MaxLiveKeys. Live links are active, paused or not yet valid. An object that is missing
// in the result has none, or is not in the actor's scope. LiveLinks needs the right to
// read. It is made for a page of a listing: it takes milliseconds also with a million
// links.
func (s *Service) LiveLinks(
	ctx context.Context, actor *Actor, storage, bucket string, keys []string,
) (map[string]LiveCount, error) {
	if err := actor.Allowed(ActionRead); err != nil {
		return nil, err
	}
	if len(keys) > MaxLiveKeys {
		return nil, Errorf(CodeBadRequest, "%d keys; the limit is %d", len(keys), MaxLiveKeys)
	}
	visible := slices.DeleteFunc(slices.Clone(keys), func(key string) bool {
		return !actor.Sees(ObjectRef{Storage: storage, Bucket: bucket, Key: key})
	})
	if len(visible) == 0 {
		return map[string]LiveCount{}, nil
	}
	counts, err := s.store.LiveLinks(ctx, storage, bucket, visible)
	if err != nil {
		return nil, storeError(err)
	}
	return counts, nil
}
