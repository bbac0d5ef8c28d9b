package localredis

import (
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// The least of the machine's memory and the limits of all control groups counts.
func TestMemory(t *testing.T) {
	t.Parallel()
	const machine = "MemFree: 1 kB\nMemTotal:       2048 kB\n"
	for name, tt := range map[string]struct {
		files map[string]string
		want  int64
	}{
		"unknown":      {nil, 0},
		"no MemTotal":  {map[string]string{"proc/meminfo": "MemFree: 7 kB\nMemTotal: x kB\nMemTotal:\n"}, 0},
		"machine":      {map[string]string{"proc/meminfo": machine}, 2 << 20},
		"other groups": {map[string]string{"proc/meminfo": machine, "proc/self/cgroup": "4:memory:/a\n"}, 2 << 20},
		"no limits": {map[string]string{
			"proc/meminfo": machine, "proc/self/cgroup": "0::/a/b\n", "sys/fs/cgroup/a/memory.max": "max\n",
		}, 2 << 20},
		"a limit above": {map[string]string{
			"proc/meminfo": machine, "proc/self/cgroup": "1:name=x:/c\n0::/a/b\n",
			"sys/fs/cgroup/a/memory.max": "1048576\n", "sys/fs/cgroup/a/b/memory.max": "1572864\n",
			"sys/fs/cgroup/c/memory.max": "1\n",
		}, 1 << 20},
		"a container": {map[string]string{
			"proc/meminfo": machine, "proc/self/cgroup": "0::/\n", "sys/fs/cgroup/memory.max": "4096\n",
		}, 4096},
		"a large limit": {map[string]string{
			"proc/meminfo": machine, "proc/self/cgroup": "0::/\n", "sys/fs/cgroup/memory.max": "4194304\n",
		}, 2 << 20},
		"only a group": {map[string]string{
			"proc/self/cgroup": "0::/../a\n", "sys/fs/cgroup/a/memory.max": "4096\n",
		}, 4096},
	} {
		root := t.TempDir()
		for path, text := range tt.files {
			put(t, filepath.Join(root, path), text)
		}
		if got := memory(root); got != tt.want {
			t.Errorf("%s: %d bytes, want %d", name, got, tt.want)
		}
	}
}

// With full memory, Redis refuses writes that need more, still deletes, and is not killed.
// Without a setting, the limit is a third of the memory of this machine.
func TestFullMemory(t *testing.T) {
	t.Parallel()
	o, _ := options(t)
	if all := memory("/"); all <= 0 || o.maxMemory() != all/3 {
		t.Errorf("the default is %d of %d bytes", o.maxMemory(), all)
	}
	o.MaxMemory = 16 << 20
	s := start(t, o)
	pid := pidOf(t, o)
	refusal := ""
	for i := 0; refusal == "" && i < 200; i++ {
		if got := cli(t, o, "SET", "keyhole:"+strconv.Itoa(i), strings.Repeat("x", 120<<10)); got != "OK" {
			refusal = got
		}
	}
	if !strings.Contains(refusal, "OOM command not allowed") {
		t.Errorf("the refusal is %q", refusal)
	}
	if got := cli(t, o, "DEL", "keyhole:0"); got != "1" {
		t.Errorf("DEL: %s", got)
	}
	if info := cli(t, o, "INFO"); !strings.Contains(info, "\nmaxmemory:16777216") ||
		!strings.Contains(info, "\nevicted_keys:0") {
		t.Errorf("INFO: %s", info)
	}
	if after := pidOf(t, o); after != pid || s.Restarts() != 0 {
		t.Errorf("process %d became %d after %d restarts", pid, after, s.Restarts())
	}
}
