package listen

import (
	"net"
	"net/netip"
	"time"
)

// clientBits6 is the network that counts as one client in IPv6. Providers give each
// customer at least a /64, so that one machine has many addresses.
const clientBits6 = 64

// client returns the client of a connection: its address, or its network in IPv6. The
// result is the zero value if the client has no share of the limit, such as a proxy.
func (a *acceptor) client(c net.Conn) netip.Prefix {
	remote, ok := c.RemoteAddr().(*net.TCPAddr)
	if a.share == 0 || !ok {
		return netip.Prefix{}
	}
	address := remote.AddrPort().Addr().Unmap().WithZone("")
	if a.exempt != nil && a.exempt(address) {
		return netip.Prefix{}
	}
	bits := address.BitLen()
	if address.Is6() {
		bits = clientBits6
	}
	network, err := address.Prefix(bits)
	if err != nil { // an invalid address
		return netip.Prefix{}
	}
	return network
}

// admit returns true when the client may open one more connection. If the client holds its
// share, admit closes the client's longest idle connection. It returns false if all of
// them are being answered.
func (a *acceptor) admit(client netip.Prefix) bool {
	for {
		longest, full := a.clientRoom(client)
		if !full {
			return true
		}
		if longest == nil {
			return false
		}
		a.closeForOther(longest.conn) // its client expects no answer
	}
}

// clientRoom tells whether a client holds its share, and which of its connections can be
// closed (nil: none).
func (a *acceptor) clientRoom(client netip.Prefix) (longest *victim, full bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	held, known := a.clients[client]
	if !known || len(held.open) < a.share || a.closed {
		return nil, false
	}
	if now := time.Now(); now.Sub(a.loggedShare) >= limitLogged {
		a.loggedShare = now
		a.warnOfShare()
	}
	return held.longestWaiting(a.age(), a.answerTimeout), true
}

// warnOfShare logs that a client holds its share. The log does not name the client, because
// audit.client_address decides what is recorded. Only recipients' proxies can be exempt.
func (a *acceptor) warnOfShare() {
	log := a.log.With("address", a.Addr().String(), "share", a.share)
	if a.exempt == nil {
		log.Warn("one address reached its share of the connections")
		return
	}
	log.Warn("one address reached its share of the connections; if it is your proxy, add it to public.trusted_proxies")
}

// add records an open connection.
func (a *acceptor) add(c *conn) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.open[c] = struct{}{}
	a.opened++
	if !c.client.IsValid() {
		return
	}
	held, known := a.clients[c.client]
	if !known {
		held = &group{open: map[*conn]struct{}{}, usual: usualConnections(a.share)}
		a.clients[c.client] = held
	}
	held.open[c] = struct{}{}
	c.held = held
}

// remove forgets a connection.
func (a *acceptor) remove(c *conn) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.open, c)
	a.addRequests(c, -len(c.running))
	c.running = nil
	held, known := a.clients[c.client]
	if !known {
		return
	}
	if delete(held.open, c); len(held.open) == 0 {
		delete(a.clients, c.client)
	}
}
