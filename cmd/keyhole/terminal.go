package main

import (
	"bufio"
	"context"
	"os"

	"golang.org/x/term"
)

// isTerminal tells whether a person is at the other end of stream.
func isTerminal(stream any) bool {
	file, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}

// readLine reads a person's line. It does not wait for it beyond ctx, which an
// interrupt ends: what is read then is nobody's any more.
func readLine(ctx context.Context, lines *bufio.Reader) (string, error) {
	type line struct {
		text string
		err  error
	}
	read := make(chan line, 1)
	go func() {
		text, err := lines.ReadString('\n')
		read <- line{text, err}
	}()
	select {
	case <-ctx.Done():
		return "", ctx.Err()
	case l := <-read:
		return l.text, l.err
	}
}
