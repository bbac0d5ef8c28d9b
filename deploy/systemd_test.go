package deploy_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// The shipped unit, and the path of the binary in it.
const (
	unitFile   = "systemd/keyhole.service"
	unitBinary = "/usr/bin/keyhole"
)

// TestUnitIsValid lets systemd-analyze read the unit, with an executable in place of the
// binary, which need not be installed here.
func TestUnitIsValid(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	binary := filepath.Join(dir, "keyhole")
	if err := os.WriteFile(binary, []byte("#!/bin/sh\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	unit := filepath.Join(dir, "keyhole.service")
	text := strings.ReplaceAll(string(read(t, unitFile)), unitBinary, binary)
	if err := os.WriteFile(unit, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	command := exec.CommandContext(t.Context(), tool(t, "systemd-analyze"), "verify", "--man=no", unit)
	if out, err := command.CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("systemd-analyze verify: %v\n%s", err, out)
	}
}

// TestUnitIsHardened keeps the exposure that systemd-analyze computes: 0 is none, 10 is the
// worst.
func TestUnitIsHardened(t *testing.T) {
	t.Parallel()
	const limit = 1.4 // 0.3 of it for ports below 1024: the capability, and no PrivateUsers
	out := run(t, "systemd-analyze", "security", "--offline=yes", "--no-pager", unitFile)
	match := regexp.MustCompile(`exposure level for keyhole\.service: ([0-9.]+)`).FindSubmatch(out)
	if match == nil {
		t.Fatalf("no exposure level in\n%s", out)
	}
	if level, err := strconv.ParseFloat(string(match[1]), 64); err != nil || level > limit {
		t.Errorf("the exposure level is %s, %v; the limit is %v", match[1], err, limit)
	}
}

// unitSettings returns the settings of the unit by name, each with all its values.
func unitSettings(t *testing.T) map[string][]string {
	t.Helper()
	all := map[string][]string{}
	for line := range strings.Lines(string(read(t, unitFile))) {
		name, value, ok := strings.Cut(strings.TrimSpace(line), "=")
		if ok && !strings.HasPrefix(name, "#") {
			all[name] = append(all[name], value)
		}
	}
	return all
}

// TestUnitSettings checks the settings that systemd-analyze takes either way and that the
// service relies on.
func TestUnitSettings(t *testing.T) {
	t.Parallel()
	settings := unitSettings(t)
	for name, want := range map[string]string{
		"Type":     "notify",
		"User":     "keyhole",
		"KillMode": "mixed", // SIGTERM must not reach Redis before the last click is answered.
		// All three together make port 443 work.
		"AmbientCapabilities":      "CAP_NET_BIND_SERVICE",
		"CapabilityBoundingSet":    "CAP_NET_BIND_SERVICE",
		"StateDirectory":           "keyhole",
		"RestartPreventExitStatus": "2",
		"LimitCORE":                "0",
	} {
		if got := settings[name]; len(got) != 1 || got[0] != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	// Without it, a crash has the exit status that prevents a restart.
	if got := settings["Environment"]; !slices.Contains(got, "GOTRACEBACK=crash") {
		t.Errorf("Environment is %q, want GOTRACEBACK=crash among it", got)
	}
	for _, name := range []string{"PrivateUsers", "DynamicUser", "LoadCredential"} {
		if got := settings[name]; got != nil {
			t.Errorf("%s is %q; the unit must not set it", name, got)
		}
	}
	user := settings["User"][0]
	if !regexp.MustCompile(`(?m)^u ` + user + ` `).Match(read(t, "systemd/keyhole.sysusers")) {
		t.Errorf("keyhole.sysusers does not make the user %s", user)
	}
}

// oldUnitKeys are the settings that systemd 247 (Debian 11) reads without a warning. Older
// versions than the one of this machine ignore what they do not know, also protections. Before
// another name is added, run systemd-analyze verify of 247 over the unit.
const oldUnitKeys = `
After AmbientCapabilities CapabilityBoundingSet Description Documentation Environment ExecReload
ExecStart ExecStartPre Group KillMode LimitCORE LimitNOFILE LockPersonality MemoryDenyWriteExecute
MemoryMax NoNewPrivileges OOMPolicy PrivateDevices PrivateMounts PrivateTmp ProtectClock
ProtectControlGroups ProtectHome ProtectHostname ProtectKernelLogs ProtectKernelModules
ProtectKernelTunables ProtectProc ProtectSystem RemoveIPC Restart RestartPreventExitStatus
RestartSec RestrictAddressFamilies RestrictNamespaces RestrictRealtime RestrictSUIDSGID
StartLimitBurst StartLimitIntervalSec StateDirectory StateDirectoryMode SystemCallArchitectures
SystemCallErrorNumber SystemCallFilter TasksMax TimeoutStopSec Type UMask User WantedBy Wants
WatchdogSec
`

// TestUnitForOldSystemd keeps the unit to settings that systemd 247 knows.
func TestUnitForOldSystemd(t *testing.T) {
	t.Parallel()
	known := strings.Fields(oldUnitKeys)
	for name := range unitSettings(t) {
		if !slices.Contains(known, name) {
			t.Errorf("nobody has checked that systemd 247 knows %s", name)
		}
	}
}

// TestUnitCommands keeps the unit to programs that every system has: a minimal Debian has no
// /bin/kill.
func TestUnitCommands(t *testing.T) {
	t.Parallel()
	for name, commands := range unitSettings(t) {
		for _, command := range commands {
			program, _, _ := strings.Cut(command, " ")
			if strings.HasPrefix(name, "Exec") && program != unitBinary && program != "/bin/sh" {
				t.Errorf("%s starts %s", name, program)
			}
		}
	}
}
