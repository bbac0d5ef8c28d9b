package signer

import (
	"os"
	"time"
)

// recentChange is the age from which the modification time of a file identifies its
// content: within one tick of the kernel's clock, a file can change twice and keep the
// same time.
const recentChange = 50 * time.Millisecond

// fileState identifies the content of a file without reading it. The zero value is a
// missing file.
type fileState struct {
	info   os.FileInfo
	recent bool // the file changed less than recentChange before
}

// statFiles returns the current states of the files.
func statFiles(files []string) []fileState {
	states := make([]fileState, len(files))
	for i, name := range files {
		if info, err := os.Stat(name); err == nil {
			states[i] = fileState{info, time.Since(info.ModTime()) < recentChange}
		}
	}
	return states
}

// changed reports whether the content of one of the files may differ from before: the
// file was written, replaced, created or removed.
func changed(files []string, before []fileState) bool {
	for i, name := range files {
		if before[i].recent {
			return true
		}
		info, err := os.Stat(name)
		if err != nil {
			info = nil
		}
		if !SameFile(before[i].info, info) {
			return true
		}
	}
	return false
}

// SameFile reports whether two results of [os.Stat] describe the same file with the same
// content, judged by device, inode, modification time and size. nil is a missing file.
// SameFile cannot notice a second change within the same tick of the kernel's clock. If a
// file changed less than 50 ms before, compare it again later.
func SameFile(a, b os.FileInfo) bool {
	if a == nil || b == nil {
		return a == nil && b == nil
	}
	return os.SameFile(a, b) && a.Size() == b.Size() && a.ModTime().Equal(b.ModTime())
}
