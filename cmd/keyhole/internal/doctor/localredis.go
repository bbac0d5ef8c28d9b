package doctor

import (
	"context"
	"errors"
	"strings"

	"keyhole/cmd/keyhole/internal/localredis"
	"keyhole/config"
)

// The checks of a Redis that the service starts itself.
const (
	checkProgram   = "program"
	checkDirectory = "directory"
)

// examineLocalRedis checks what the service needs to start its own Redis, and tells whether
// it can run. It starts nothing: the service that runs has that Redis.
func (x *examination) examineLocalRedis(ctx context.Context, directory string) bool {
	program, err := localredis.Find(ctx)
	right := x.noteLocal(checkProgram, err, program.Path+" "+program.Version)
	// Both are reported, because a user who corrects one should not have to ask again.
	return x.noteLocal(checkDirectory, localredis.Examine(directory), directory+" belongs to the service alone") && right
}

// noteLocal adds a finding, and tells whether it is a good one.
func (x *examination) noteLocal(check string, err error, good string) bool {
	found := finding{Subject: redisSubject, Check: check, Level: levelOK, Message: good}
	if err != nil {
		found.Level, found.Message = levelFailure, err.Error()
		if wrong, ok := errors.AsType[*localredis.Error](err); ok {
			found.Do = wrong.Do
		}
	}
	x.note(found)
	return err == nil
}

// addressOf returns where Redis is, for people.
func addressOf(c *config.Redis) string {
	if c.Mode == config.RedisLocal {
		return localredis.Socket(c.Directory)
	}
	return strings.Join(c.Addresses, ", ")
}
