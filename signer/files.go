package signer

import (
	"os"
	"time"
)

// settled is the age from which on a file's time of change tells its content:
// within one tick of the kernel's clock a file can change twice and bear the
// same time.
const settled = 50 * time.Millisecond

// fileState tells one content of a file from another without reading it. The
// zero value is a file that is not there.
type fileState struct {
	info  os.FileInfo
	fresh bool // it had only just changed
}

// look notes the state of the files as they are now.
func look(files []string) []fileState {
	states := make([]fileState, len(files))
	for i, name := range files {
		if info, err := os.Stat(name); err == nil {
			states[i] = fileState{info, time.Since(info.ModTime()) < settled}
		}
	}
	return states
}

// changed reports whether a file may have another content than when h was asked
// for: it was written to, another one took its place or it came or went.
func (h *held) changed(files []string) bool {
	for i, name := range files {
		if h == nil || h.files[i].fresh {
			return true
		}
		before := h.files[i].info
		info, err := os.Stat(name)
		if err != nil || before == nil {
			if (err != nil) != (before == nil) {
				return true
			}
			continue
		}
		if !os.SameFile(before, info) || info.Size() != before.Size() || !info.ModTime().Equal(before.ModTime()) {
			return true
		}
	}
	return false
}
