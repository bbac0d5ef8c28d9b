package request

import "net/http"

// Ambiguous reports whether the end of a request is ambiguous: a proxy may find another
// end, and read the following bytes as another request. The connection must close after
// the answer. Chunked requests are ambiguous, because they may also state a length (RFC
// 9112 section 6.1). Requests of HTTP/1.0 are ambiguous, because they may also be chunked.
// net/http removes both headers, so Ambiguous cannot distinguish harmless requests.
func Ambiguous(r *http.Request) bool { return len(r.TransferEncoding) > 0 || !r.ProtoAtLeast(1, 1) }
