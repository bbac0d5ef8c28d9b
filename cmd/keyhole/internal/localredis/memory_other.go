//go:build !linux

package localredis

// memory does not know the memory of this machine.
func memory(string) int64 { return 0 }
