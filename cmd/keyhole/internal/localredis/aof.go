package localredis

import (
	"bufio"
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

// The names that Redis gives to the parts of its append-only file, below its directory.
const (
	aofDirectory = "appendonlydir"
	aofManifest  = "appendonly.aof.manifest"
)

// maxTail is the largest half-written command, in bytes. The commands of the service are
// far smaller.
const maxTail = 16 << 20

// errCut means that a file ends inside a command.
var errCut = errors.New("it ends inside a command")

// damaged returns the error for a file that Redis must not load.
func damaged(directory, path string, reason any) error {
	return &Error{
		fmt.Sprintf("the append-only file %s is damaged: %v", path, reason),
		"restore the directory from a backup of the disk, or copy it and then run: redis-check-aof --fix " +
			filepath.Join(directory, aofDirectory, aofManifest) +
			"\nthe repair cuts off everything after the damage: links that were revoked since then work again",
	}
}

// cut is a half-written command at the end of the append-only file.
type cut struct {
	path  string
	bytes int64
}

// check examines the append-only file before Redis loads it. Redis takes a damaged length
// for the beginning of a half-written command and drops everything after it, which could
// undo revocations. check tells the two apart: only a command that nothing follows was
// never acknowledged. It returns that command, or nil. The error is an *Error about any
// other damage; Redis itself checks the part in RDB format.
func check(directory string) (*cut, error) {
	parts, err := readManifest(directory)
	if err != nil || len(parts) == 0 {
		return nil, err
	}
	for i, path := range parts {
		end, err := checkPart(directory, path)
		if err != nil {
			return nil, err
		}
		if end != nil && i < len(parts)-1 {
			return nil, damaged(directory, path, errCut)
		}
		if end != nil {
			return end, nil
		}
	}
	return nil, nil //nolint:nilnil // nil is the usual case: a complete file
}

// manifestLine matches a line of the manifest.
var manifestLine = regexp.MustCompile(`^file (\S+) seq [0-9]+ type ([bih])( startoffset [0-9]+)?( endoffset [0-9]+)?$`)

// readManifest returns the paths of the parts in their order; none if Redis has never run
// in the directory.
func readManifest(directory string) ([]string, error) {
	folder := filepath.Join(directory, aofDirectory)
	path := filepath.Join(folder, aofManifest)
	text, err := os.ReadFile(path) //nolint:gosec // in the service's own directory
	if errors.Is(err, fs.ErrNotExist) {
		// Without its manifest, Redis would begin with an empty file.
		if entries, err := os.ReadDir(folder); err == nil && len(entries) > 0 {
			return nil, damaged(directory, path, "it does not exist, but "+filepath.Join(folder, entries[0].Name())+" does")
		}
		return nil, nil
	}
	if err != nil {
		return nil, unusable(directory, err)
	}
	var parts []string
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		found := manifestLine.FindStringSubmatch(line)
		if found == nil || filepath.Base(found[1]) != found[1] {
			return nil, damaged(directory, path, "it has an invalid line")
		}
		if found[2] != "h" { // the history is deleted
			parts = append(parts, filepath.Join(folder, found[1]))
		}
	}
	if len(parts) == 0 {
		return nil, damaged(directory, path, "it is empty")
	}
	return parts, nil
}

// checkPart examines one part. It returns the half-written command at its end, or nil.
func checkPart(directory, path string) (*cut, error) {
	file, err := os.Open(path) //nolint:gosec // in the service's own directory
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil, damaged(directory, path, "it does not exist")
		}
		return nil, unusable(directory, err)
	}
	defer func() { _ = file.Close() }()
	if strings.HasSuffix(path, ".rdb") {
		return nil, nil //nolint:nilnil // has a checksum, which Redis verifies
	}
	end, err := scan(file)
	switch {
	case err == nil:
		return nil, nil //nolint:nilnil // complete
	case !errors.Is(err, errCut):
		return nil, damaged(directory, path, err)
	}
	size, err := file.Seek(0, io.SeekEnd)
	if err != nil {
		return nil, unusable(directory, err)
	}
	tail := make([]byte, min(size-end, maxTail+1))
	if _, err := file.ReadAt(tail, end); err != nil {
		return nil, unusable(directory, err)
	}
	if len(tail) > maxTail || commandInside.Match(tail) {
		return nil, damaged(directory, path, fmt.Sprintf("the command at byte %d has a wrong length", end))
	}
	return &cut{path, size - end}, nil
}

// commandInside matches a further command behind the beginning of one. Values of the
// service contain no such bytes.
var commandInside = regexp.MustCompile(`\r\n\*[0-9]+\r\n\$[0-9]+\r\n`)

// maxArguments and maxArgument are the limits of Redis for a command in the file.
const (
	maxArguments = 1 << 20
	maxArgument  = 512 << 20
)

// scan reads commands in the protocol of Redis (Redis documentation, "Redis serialization
// protocol specification"). It returns the offset of the first byte that belongs to no
// complete command, and why: errCut if the file ends there.
func scan(file io.Reader) (int64, error) {
	r := &countingReader{in: bufio.NewReaderSize(file, 1<<20)}
	for {
		begin := r.read
		first, err := r.in.Peek(1)
		switch {
		case errors.Is(err, io.EOF):
			return begin, nil
		case err != nil:
			return begin, err
		case first[0] == '#': // a time
			_, err = r.line()
		default:
			err = r.command()
		}
		if errors.Is(err, io.EOF) {
			return begin, errCut
		}
		if err != nil {
			return begin, fmt.Errorf("%w at byte %d", err, begin)
		}
	}
}

// countingReader counts the bytes that were read.
type countingReader struct {
	in   *bufio.Reader
	read int64
}

// errFormat means that something else stands where a command has to begin or to go on.
var errFormat = errors.New("bad file format in the command")

// command reads one command.
func (r *countingReader) command() error {
	arguments, err := r.number('*', maxArguments)
	if err == nil && arguments == 0 {
		return errFormat
	}
	for range arguments {
		if err != nil {
			return err
		}
		var length int
		if length, err = r.number('$', maxArgument); err != nil {
			return err
		}
		n, discardErr := r.in.Discard(length)
		r.read += int64(n)
		if err = discardErr; err != nil {
			return err
		}
		var end string
		if end, err = r.line(); err == nil && end != "" {
			return errFormat
		}
	}
	return err
}

// number reads a line with a sign and a number.
func (r *countingReader) number(sign byte, most int) (int, error) {
	// The sign comes before the end: a wrong byte is damage also at the end of the file.
	if next, err := r.in.Peek(1); err != nil || next[0] != sign {
		return 0, cmp.Or(err, errFormat)
	}
	text, err := r.line()
	if err != nil {
		return 0, err
	}
	n, err := strconv.Atoi(text[1:])
	if err != nil || n < 0 || n > most {
		return 0, errFormat
	}
	return n, nil
}

// maxLine is longer than every line with a number or a time.
const maxLine = 64

// line reads a line without its end. A line that is too long is damage also if the file
// ends in it.
func (r *countingReader) line() (string, error) {
	var text []byte
	for len(text) < maxLine {
		b, err := r.in.ReadByte()
		if err != nil {
			return "", err
		}
		r.read++
		if text = append(text, b); b == '\n' {
			if !bytes.HasSuffix(text, []byte("\r\n")) {
				return "", errFormat
			}
			return string(text[:len(text)-2]), nil
		}
	}
	return "", errFormat
}
