package listen

// Connections returns how many connections are open, and the limit that Serve has set, 0
// before Serve. At the limit, each new connection displaces another one.
func (l *Listener) Connections() (open, limit int) {
	l.acceptor.mu.Lock()
	defer l.acceptor.mu.Unlock()
	return len(l.acceptor.open), l.acceptor.limit
}
