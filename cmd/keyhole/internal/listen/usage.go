package listen

// Connections returns how many connections are open, and the limit that Serve has set: at the
// limit, each new connection displaces another one. limit is 0 without a limit. Connections
// may be called after Serve has returned.
func (l *Listener) Connections() (open, limit int) {
	l.acceptor.mu.Lock()
	defer l.acceptor.mu.Unlock()
	return len(l.acceptor.open), l.acceptor.limit
}
