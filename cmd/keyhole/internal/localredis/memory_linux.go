package localredis

import (
	"bufio"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// memory returns the memory of this machine in bytes or, if that is less, of the control
// groups of the service, which contain its Redis too (Linux documentation, "Control Group
// v2", memory.max). Within a container, the mounted tree begins at its own group. root is
// the root of the file system; 0: unknown.
func memory(root string) int64 {
	least := machineMemory(filepath.Join(root, "proc/meminfo"))
	text, err := os.ReadFile(filepath.Join(root, "proc/self/cgroup")) //nolint:gosec // a file of the kernel
	if err != nil {
		return least
	}
	for line := range strings.Lines(string(text)) {
		group, found := strings.CutPrefix(strings.TrimSpace(line), "0::")
		if !found {
			continue
		}
		for group = filepath.Clean("/" + group); ; group = filepath.Dir(group) {
			limit, err := os.ReadFile(filepath.Join(root, "sys/fs/cgroup", group, "memory.max"))
			// The text max, which means no limit, is no number.
			if n, parseErr := strconv.ParseInt(strings.TrimSpace(string(limit)), 10, 64); err == nil && parseErr == nil &&
				n > 0 && (least == 0 || n < least) {
				least = n
			}
			if group == "/" {
				break
			}
		}
	}
	return least
}

// machineMemory returns MemTotal of a file like /proc/meminfo, in bytes (proc_meminfo(5)).
// 0: unknown.
func machineMemory(path string) int64 {
	file, err := os.Open(path) //nolint:gosec // a file of the kernel
	if err != nil {
		return 0
	}
	defer func() { _ = file.Close() }()
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		if fields := strings.Fields(lines.Text()); len(fields) == 3 && fields[0] == "MemTotal:" && fields[2] == "kB" {
			n, _ := strconv.ParseInt(fields[1], 10, 64) // 0 is unknown.
			return n << 10
		}
	}
	return 0
}
