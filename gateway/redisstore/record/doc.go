// Package record packs links and events into the records that Redis keeps, and reads
// them. It does no I/O and knows no Redis client, so tests and fuzzing need no server.
// Read [View], [ParseAdmission] and [HistoryBody] first.
//
// A link has two records, its permission and its history, and a record for each event.
// The first byte of a record is its version. A link is written in the oldest version that
// can express it, so that gateways of the previous release serve the links that they can
// read and refuse all others. A reader never skips a record or field that it does not
// know: it returns gateway.ErrRecord.
//
// The Lua scripts read and change the fixed part of each record in place.
// lua/codec.lua of package redisstore describes that layout; this package owns the
// variable part (the body) and reads both.
package record
