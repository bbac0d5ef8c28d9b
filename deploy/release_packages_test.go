package deploy_test

import (
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// checkDeb lets lintian check the package, whose overrides say why they are right, and checks
// what lintian does not know.
func checkDeb(t *testing.T, file string) {
	t.Helper()
	command := exec.CommandContext(t.Context(), tool(t, "lintian"), "--fail-on", "error,warning", file)
	if out, err := command.CombinedOutput(); err != nil {
		t.Errorf("lintian: %v\n%s", err, out)
	}
	out := string(run(t, "dpkg-deb", "--contents", file))
	for _, want := range []string{
		"drwxr-x--- root/keyhole ", "-rw-r----- root/keyhole ", "drwx------ keyhole/keyhole ", " ./usr/bin/keyhole\n",
		" ./usr/lib/systemd/system/keyhole.service\n", " ./usr/share/man/man1/keyhole.1.gz\n",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("the package has no %q", want)
		}
	}
	want := "Homepage: " + releaseHomepage + "\nMaintainer: " + releaseMaintainer + "\nVersion: " + debVersion + "\n"
	if got := fields(string(run(t, "dpkg-deb", "--field", file, "Homepage", "Maintainer", "Version"))); got != want {
		t.Errorf("fields\n%s, want\n%s", got, want)
	}
	unpacked := t.TempDir()
	run(t, "dpkg-deb", "--extract", file, unpacked)
	checkLinks(t, filepath.Join(unpacked, "usr/share/doc/keyhole"))
	control := t.TempDir()
	run(t, "dpkg-deb", "--control", file, control)
	if got := string(read(t, filepath.Join(control, "conffiles"))); got != "/etc/keyhole/keyhole.example.yaml\n" {
		t.Errorf("protected are %q", got)
	}
}

// checkRPM checks the files, the protected configuration and the scripts of the package. Its
// documents are those of the deb, whose links are checked.
func checkRPM(t *testing.T, file, deb string) {
	t.Helper()
	var documents []string
	for line := range strings.Lines(string(run(t, "rpm", "-qp", "--list", file))) {
		if strings.HasPrefix(line, "/usr/share/doc/keyhole/") {
			documents = append(documents, strings.TrimSpace(line))
		}
	}
	var inDeb []string
	for line := range strings.Lines(string(run(t, "dpkg-deb", "--contents", deb))) {
		// The sixth field is the name, and a symbolic link's target follows it.
		name := strings.TrimSuffix(strings.TrimPrefix(strings.Fields(line)[5], "."), "/")
		if strings.HasPrefix(name, "/usr/share/doc/keyhole/") && name != "/usr/share/doc/keyhole/changelog.gz" {
			inDeb = append(inDeb, name)
		}
	}
	slices.Sort(documents)
	slices.Sort(inDeb)
	if !slices.Equal(documents, inDeb) {
		t.Errorf("documents\n%q\nthe deb has\n%q", documents, inDeb)
	}
	files := string(run(t, "rpm", "-qp", "--queryformat",
		"[%{FILEMODES:perms} %{FILEUSERNAME} %{FILEGROUPNAME} %{FILENAMES}\n]", file))
	for _, want := range []string{
		"drwxr-x--- root keyhole /etc/keyhole\n", "-rw-r----- root keyhole /etc/keyhole/keyhole.example.yaml\n",
		"drwx------ keyhole keyhole /var/lib/keyhole\n", "-rwxr-xr-x root root /usr/bin/keyhole\n",
	} {
		if !strings.Contains(files, want) {
			t.Errorf("no %q in\n%s", want, files)
		}
	}
	if got := string(run(t, "rpm", "-qp", "--configfiles", file)); got != "/etc/keyhole/keyhole.example.yaml\n" {
		t.Errorf("configuration files: %q", got)
	}
	scripts := string(run(t, "rpm", "-qp", "--scripts", file))
	for _, name := range []string{"preinstall", "postinstall", "preuninstall", "postuninstall"} {
		if !strings.Contains(scripts, name+" scriptlet (using /bin/sh):") {
			t.Errorf("no script %s", name)
		}
	}
	made := string(run(t, "rpm", "-qp", "--queryformat", "%{BUILDHOST} %{BUILDTIME} %{PACKAGER} %{URL} %{VERSION}", file))
	if want := "localhost 1790000000 " + releaseMaintainer + " " + releaseHomepage + " " + debVersion; made != want {
		t.Errorf("made at %q, want %q", made, want)
	}
}

// fields sorts the fields of a package, which dpkg-deb prints in the order of the file.
func fields(printed string) string {
	lines := slices.Sorted(strings.Lines(printed))
	return strings.Join(lines, "")
}

// checkLinks checks that every relative link of the documents below a directory leads to a
// file there. TestLinksResolve checks the headings.
func checkLinks(t *testing.T, dir string) {
	t.Helper()
	tree, found := os.DirFS(dir), 0
	for name, text := range documentsOf(t, tree) {
		for _, target := range relativeLinks(text) {
			found++
			target, _, _ = strings.Cut(target, "#")
			if target == "" {
				continue
			}
			if _, err := fs.Stat(tree, path.Join(path.Dir(name), target)); err != nil {
				t.Errorf("%s links to %s, which %s does not have", name, target, filepath.Base(dir))
			}
		}
	}
	if found < 100 {
		t.Errorf("only %d links were found", found)
	}
}

// documentsOf returns the text of every Markdown file of a tree by path, without the contents
// of fences.
func documentsOf(t *testing.T, tree fs.FS) map[string]string {
	t.Helper()
	fence := regexp.MustCompile("(?ms)^```.*?^```$")
	all := map[string]string{}
	err := fs.WalkDir(tree, ".", func(name string, _ fs.DirEntry, err error) error {
		if err != nil || path.Ext(name) != ".md" {
			return err
		}
		text, err := fs.ReadFile(tree, name)
		all[name] = fence.ReplaceAllString(string(text), "")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// relativeLinks returns the targets of links, without those to other sites.
func relativeLinks(text string) []string {
	var all []string
	for _, match := range regexp.MustCompile(`\]\(([^()\s]+)\)`).FindAllStringSubmatch(text, -1) {
		if target, _, _ := strings.Cut(match[1], "#"); !strings.Contains(target, ":") {
			all = append(all, match[1])
		}
	}
	return all
}
