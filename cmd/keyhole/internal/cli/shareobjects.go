package cli

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"keyhole/cmd/keyhole/internal/cli/term"
	"keyhole/cmd/keyhole/internal/command"
	"keyhole/gateway"
)

// fromList is the argument for which objects are read from standard input.
const fromList = "-"

// maxObjectLine is the longest line of a list of objects in bytes: s3://, a bucket, and the
// longest key of S3.
const maxObjectLine = 4 << 10

// object is one object that share is asked for.
type object struct{ bucket, key string }

// String returns the object as an argument.
func (o object) String() string { return "s3://" + o.bucket + "/" + o.key }

// readObjects reads the objects from the arguments and, for -, from standard input. Two
// links for one object are more likely a mistake in a list than a wish.
func (f *shareFlags) readObjects(env *command.Env, args []string) ([]object, error) {
	var objects []object
	// The order of the arguments is that of the URLs, also for the objects of the list.
	for i, arg := range args {
		if arg != fromList {
			o, err := objectOf(arg)
			if err != nil {
				return nil, splitBySpace(args[:i], arg, err)
			}
			objects = append(objects, o)
			continue
		}
		if f.fromStdin {
			return nil, command.Usage("- is repeated", "name standard input once")
		}
		f.fromStdin = true
		listed, err := readList(env.Stdin)
		if err != nil {
			return nil, err
		}
		objects = append(objects, listed...)
	}
	switch {
	case len(objects) == 0:
		return nil, command.Usage("standard input lists no object", "write one object on each line, s3://BUCKET/KEY")
	case len(objects) > gateway.MaxBatch:
		return nil, command.Usage(fmt.Sprintf("there are %d objects; one command shares at most %d", len(objects),
			gateway.MaxBatch), "split the list")
	}
	for i, o := range objects {
		if slices.Contains(objects[:i], o) {
			return nil, command.Usage(o.String()+" is listed twice", "list each object once")
		}
	}
	return objects, nil
}

// objectOf reads one argument or line.
func objectOf(text string) (object, error) {
	bucket, key, err := parseObject(text)
	return object{bucket, key}, err
}

// splitBySpace adds a hint to the error of an argument that is no object, if it may be the
// rest of a key with a space that the shell has split.
func splitBySpace(before []string, arg string, err error) error {
	if len(before) == 0 || before[len(before)-1] == fromList || strings.Contains(arg, "://") {
		return err
	}
	return command.Usage(err.Error(), "if the key contains a space, put it into quotes: "+
		term.ShellWord(before[len(before)-1]+" "+arg))
}

// readList reads objects, one on each line. Empty lines are skipped.
func readList(stdin io.Reader) ([]object, error) {
	var objects []object
	// A scanner refuses a line without end, which would fill the memory.
	lines := bufio.NewScanner(stdin)
	lines.Buffer(nil, maxObjectLine)
	n := 0
	for lines.Scan() {
		n++
		line := strings.TrimSuffix(lines.Text(), "\r")
		if strings.TrimSpace(line) == "" {
			continue
		}
		o, err := objectOf(line)
		if err != nil {
			var known *command.Error
			errors.As(err, &known)
			return nil, command.Usage(fmt.Sprintf("line %d of standard input: %v", n, err), known.Hint)
		}
		if objects = append(objects, o); len(objects) > gateway.MaxBatch {
			break // readObjects refuses the list
		}
	}
	if err := lines.Err(); err != nil {
		return nil, command.Usage(fmt.Sprintf("cannot read line %d of standard input: %v", n+1, err),
			"write one object on each line, s3://BUCKET/KEY")
	}
	return objects, nil
}

// checkSeveral refuses flags that are for one object.
func (f *shareFlags) checkSeveral() error {
	for flag, given := range map[string]bool{
		"--filename": f.request.Filename != "", "--version-id": f.request.VersionID != "",
		"--qr": f.qr, "--qr-file": f.qrFile != "",
	} {
		if given {
			return command.Usage(flag+" is for one object", "share that object with a command of its own")
		}
	}
	return nil
}
