package demo

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"

	"keyhole/cmd/keyhole/internal/command"
	"keyhole/cmd/keyhole/internal/listen"
)

// flagAddress is one address of the demo and its flag. Errors name the flag, because all
// addresses look alike.
type flagAddress struct {
	flag    string
	address *string
}

// addresses returns every address of the demo, in the order of the flags in --help.
func (f *demoFlags) addresses() []flagAddress {
	return []flagAddress{{"--public", &f.public}, {"--operator", &f.operator}, {"--s3", &f.s3}}
}

// checkAddresses brings the addresses into one form, and refuses those that are not on
// loopback or are used twice.
func (f *demoFlags) checkAddresses() error {
	// Two servers on one address fail with an error that names only one of them.
	seen := map[netip.AddrPort]string{}
	for _, a := range f.addresses() {
		addr, err := onLoopback(a.flag, *a.address)
		if err != nil {
			return err
		}
		if other, twice := seen[addr]; twice && addr.Port() != 0 {
			return command.Usage(fmt.Sprintf("%s and %s are both %s", other, a.flag, addr), "use different addresses")
		}
		seen[addr] = a.flag
		*a.address = addr.String()
	}
	return nil
}

// onLoopback parses an address, and refuses one that other machines can reach, because the
// demo is not meant for them. Localhost means 127.0.0.1.
func onLoopback(flag, address string) (netip.AddrPort, error) {
	const hint = "the demo listens only on loopback, such as 127.0.0.1:8080; use keyhole serve for other addresses"
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return netip.AddrPort{}, command.Usage(fmt.Sprintf("%s %q is not an address of the form host:port", flag, address),
			"write it as 127.0.0.1:8080")
	}
	number, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return netip.AddrPort{},
			command.Usage(fmt.Sprintf("%s %q is not an address of the form host:port: a port is 0 to 65535", flag, address),
				"write it as 127.0.0.1:8080; port 0 chooses a free one")
	}
	if host == "localhost" {
		host = "127.0.0.1"
	}
	addr, err := netip.ParseAddr(host)
	if err != nil || !addr.Unmap().IsLoopback() {
		return netip.AddrPort{}, command.Usage(fmt.Sprintf("%s %s is not a loopback address", flag, address), hint)
	}
	return netip.AddrPortFrom(addr.Unmap(), uint16(number)), nil
}

// nameFlag adds the flag of the address on which listening failed.
func (f *demoFlags) nameFlag(err error) error {
	var failed *net.OpError
	if !errors.As(err, &failed) || failed.Addr == nil {
		return err
	}
	// The text of the address tells which listener failed, because all are on loopback.
	for _, a := range f.addresses() {
		if failed.Addr.String() == *a.address {
			return &command.Error{
				Err:  fmt.Errorf("%s: %w", a.flag, err),
				Hint: listen.Hint(err, "with "+a.flag), Code: command.ExitFailed,
			}
		}
	}
	return err
}
