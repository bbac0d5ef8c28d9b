package demo

import (
	"errors"
	"net"
	"strings"
	"testing"
)

func TestDemoAddresses(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ public, operator, want string }{
		{"localhost:28080", "[::1]:28080", ""},
		{"127.0.0.1:0", "localhost:0", ""},
		{"28080", "127.0.0.1:1", `--public "28080" is not an address of the form host:port`},
		{":99999", "127.0.0.1:1", "a port is 0 to 65535"},
		{"127.0.0.1:http", "127.0.0.1:1", "a port is 0 to 65535"},
		{":8080", "127.0.0.1:1", "--public :8080 is not a loopback address"},
		{"127.0.0.1:1", "192.0.2.1:2", "--operator 192.0.2.1:2 is not a loopback address"},
		{"127.0.0.1:1", "localhost:1", "--public and --operator are both 127.0.0.1:1"},
		{"127.0.0.1:1", "[::ffff:127.0.0.1]:1", "--public and --operator are both 127.0.0.1:1"},
		{"127.0.0.1:1", "127.0.0.1:9000", "--operator and --s3 are both 127.0.0.1:9000"},
	} {
		f := &demoFlags{public: tt.public, operator: tt.operator, s3: "127.0.0.1:9000"}
		err := f.checkAddresses()
		if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s, %s: got %v", tt.public, tt.operator, err)
		}
		if tt.public == "localhost:28080" && f.public != "127.0.0.1:28080" {
			t.Errorf("localhost is %s", f.public)
		}
	}
}

// An error that is not about an address of the demo passes unchanged.
func TestNameFlag(t *testing.T) {
	t.Parallel()
	f := &demoFlags{public: "127.0.0.1:1", operator: "127.0.0.1:2", s3: "127.0.0.1:3"}
	for _, err := range []error{
		errors.New("other"), &net.OpError{Op: "listen", Err: errors.New("in use")},
		&net.OpError{Op: "listen", Addr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 9}, Err: errors.New("in use")},
	} {
		if got := f.nameFlag(err); !errors.Is(got, err) || got.Error() != err.Error() {
			t.Errorf("%v became %v", err, got)
		}
	}
}

// An error that is not about one of the three addresses stays as it is, because no flag
// would help.
func TestNameFlagOfOtherErrors(t *testing.T) {
	t.Parallel()
	f := &demoFlags{public: "127.0.0.1:1", operator: "127.0.0.1:2", s3: "127.0.0.1:3"}
	elsewhere := &net.OpError{Op: "listen", Net: "tcp", Addr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 4}}
	for _, err := range []error{errors.New("out of memory"), &net.OpError{Op: "listen"}, elsewhere} {
		if got := f.nameFlag(err); got != err { //nolint:errorlint // the same error, not one that wraps it
			t.Errorf("%v became %v", err, got)
		}
	}
}
