package redisstore

import (
	"errors"
	"fmt"

	"keyhole/gateway"
	"keyhole/gateway/redisstore/record"
)

// reply reads the array of strings and numbers that a script returned. If an element has
// an unexpected type, err is set, and later reads return zero values. Check err once,
// after the last read.
type reply struct {
	rest []any
	err  error
}

// replyOf returns a reader of a script's reply, which must be an array.
func replyOf(v any) *reply {
	rest, ok := v.([]any)
	if !ok {
		return &reply{err: fmt.Errorf("%w: the reply is a %T, not an array", gateway.ErrRecord, v)}
	}
	return &reply{rest: rest}
}

// next returns the next element, and nil after the last one or an error.
func (r *reply) next() any {
	if r.err != nil || len(r.rest) == 0 {
		r.err = errors.Join(r.err, fmt.Errorf("%w: the reply is truncated", gateway.ErrRecord))
		return nil
	}
	v := r.rest[0]
	r.rest = r.rest[1:]
	return v
}

// text returns the next element, which must be a string.
func (r *reply) text() string { return element[string](r) }

// number returns the next element, which must be a number.
func (r *reply) number() int64 { return element[int64](r) }

// list returns the next element, which must be an array.
func (r *reply) list() []any { return element[[]any](r) }

// view returns the next four elements as a view at the time now, in Unix milliseconds.
func (r *reply) view(now int64) record.View {
	return record.View{Now: now, History: r.text(), Permission: r.text(), NewestClick: r.text(), LastUse: r.text()}
}

// element returns the next element, which must be a T.
func element[T any](r *reply) T {
	v, ok := r.next().(T)
	if !ok && r.err == nil {
		r.err = fmt.Errorf("%w: an element of the reply is not a %T", gateway.ErrRecord, v)
	}
	return v
}
