package gateway

import (
	"crypto/rand"
	"errors"
	"math"
	mathrand "math/rand/v2"
	"strings"
	"testing"
	"testing/iotest"
)

func TestNewTokenHasTheShapeOfAToken(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for range 1000 {
		token, err := NewToken(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		if !ValidToken(token) {
			t.Fatalf("drawn token %q is not valid", token)
		}
		if seen[token] {
			t.Fatalf("token %q was drawn twice", token)
		}
		seen[token] = true
	}
}

// Every letter must be as likely as any other. Without the rejection of the
// bytes from 232 on, the first 24 letters would come a quarter more often than
// the rest, 30 standard deviations of this sample.
func TestNewTokenIsUniform(t *testing.T) {
	t.Parallel()
	random := mathrand.NewChaCha8([32]byte{1})
	const tokens = 20_000
	counts := map[rune]float64{}
	for range tokens {
		token, err := NewToken(random)
		if err != nil {
			t.Fatal(err)
		}
		for _, letter := range token {
			counts[letter]++
		}
	}
	mean := float64(tokens*TokenLength) / float64(len(alphabet))
	for _, letter := range alphabet {
		if deviation := math.Abs(counts[letter]-mean) / math.Sqrt(mean); deviation > 5 {
			t.Errorf("letter %c came %v times, %v expected", letter, counts[letter], mean)
		}
	}
}

func TestNewTokenWithoutRandomness(t *testing.T) {
	t.Parallel()
	broken := errors.New("no entropy")
	if token, err := NewToken(iotest.ErrReader(broken)); !errors.Is(err, broken) || token != "" {
		t.Errorf("got %q, %v; want the reader's error", token, err)
	}
}

func TestValidToken(t *testing.T) {
	t.Parallel()
	good := "1234567892ABCDEFGHJKLM"
	if !ValidToken(good) {
		t.Fatalf("%q is refused", good)
	}
	for _, bad := range []string{
		"", good[1:], good + "1", strings.Repeat("1", 70<<10),
		"0" + good[1:], "O" + good[1:], "I" + good[1:], "l" + good[1:],
		good[:21] + "/", good[:21] + " ", good[:21] + "+", good[:21] + "\x00", good[:21] + "*", good[:20] + "é",
		"{" + good[:20] + "}",
	} {
		if ValidToken(bad) {
			t.Errorf("%.40q is taken for a token", bad)
		}
	}
}

func TestID(t *testing.T) {
	t.Parallel()
	// printf %s 1234567892ABCDEFGHJKLM | sha256sum | cut -c1-32 | xxd -r -p | base32 | tr A-Z a-z | tr -d =
	const want = "mdtc5kd7t4jdfoysdpw5s5vgs4"
	id := IDOf("1234567892ABCDEFGHJKLM")
	if id.String() != want {
		t.Errorf("got %s, want %s", id, want)
	}
	back, ok := ParseID(id.String())
	if !ok || back != id {
		t.Errorf("ParseID(%s) = %v, %v", id, back, ok)
	}
	if other := IDOf("1234567892ABCDEFGHJKLN"); other == id {
		t.Error("two tokens have one ID")
	}
}

func TestParseIDRefuses(t *testing.T) {
	t.Parallel()
	good := IDOf("1234567892ABCDEFGHJKLM").String()
	for _, bad := range []string{
		"", good[:25], good + "a", strings.ToUpper(good), good[:25] + "=", good[:25] + "1",
		good[:25] + "z", // bits beyond the 128th are set
		"1234567892ABCDEFGHJKLM",
	} {
		if id, ok := ParseID(bad); ok {
			t.Errorf("%q is taken for %s", bad, id)
		}
	}
}

func TestIDOfAllocatesNothing(t *testing.T) {
	token := "1234567892ABCDEFGHJKLM"
	if n := testing.AllocsPerRun(100, func() { IDOf(token) }); n != 0 {
		t.Errorf("%v allocations a hash, want none", n)
	}
}
