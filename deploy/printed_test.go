package deploy_test

import (
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// printed is one command that readers can copy from a document, a comment or a help text.
type printed struct {
	source  string // the file, or "keyhole share --help"
	command string // as it is printed, over several lines where it is
	// prints is the output that the document shows; "" if it shows none.
	prints string
}

// shells are the languages of fences that hold commands.
var shells = []string{"sh", "console", "bash", "shell", "zsh"} //nolint:gochecknoglobals // A constant.

// fencesOf returns the commands of a document's fences. In console fences these are the
// lines after $, with their output; in other fences, all lines.
func fencesOf(source, text string) []printed {
	var all []printed
	for _, fence := range regexp.MustCompile("(?ms)^```(\\w+)\n(.*?)^```$").FindAllStringSubmatch(text, -1) {
		switch {
		case !slices.Contains(shells, fence[1]):
		case fence[1] == "console":
			all = append(all, consoleOf(source, fence[2])...)
		default:
			all = append(all, linesOf(source, fence[2])...)
		}
	}
	return all
}

// linesOf returns the commands of a shell fence without comments. A command continues after
// a backslash, and to the end of its here-document.
func linesOf(source, text string) []printed {
	hereDocument := regexp.MustCompile(`<<-?'?(\w+)'?`)
	remark := regexp.MustCompile(`\s{2,}# .*$|^#.*$`)
	var all []printed
	more, end := false, ""
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		last := len(all) - 1
		switch {
		case end != "":
			all[last].command += "\n" + line
			if line == end {
				end = ""
			}
			continue
		case more:
			line = strings.TrimSpace(line)
			all[last].command += "\n" + line
		default:
			if line = strings.TrimSpace(remark.ReplaceAllString(line, "")); line == "" {
				continue
			}
			all = append(all, printed{source: source, command: line})
		}
		if match := hereDocument.FindStringSubmatch(line); match != nil {
			end = match[1]
		}
		more = strings.HasSuffix(line, "\\")
	}
	return all
}

// consoleOf returns the commands of one console fence.
func consoleOf(source, text string) []printed {
	var all []printed
	more := false // the last line goes on
	for line := range strings.Lines(text) {
		command, begins := strings.CutPrefix(line, "$ ")
		switch last := len(all) - 1; {
		case begins:
			all = append(all, printed{source: source, command: strings.TrimSpace(command)})
		case last < 0: // output of nothing
			all = append(all, printed{source: source, prints: line})
		case more:
			all[last].command += "\n" + strings.TrimSpace(line)
		default:
			all[last].prints += line
		}
		more = (begins || more) && strings.HasSuffix(line, "\\\n")
	}
	return all
}

// program matches the first words of a command between backticks in a sentence. It does not
// match names.
var program = regexp.MustCompile(`^((sudo|go|git|curl|wget|buildah|systemctl|redis-cli|kill|apt-get|source) \S` +
	`|docker \S+ \S` +
	`|([A-Z_]+=\S+ )+\S|deploy/(test|setup|corpus|history|matrix|bench/run|compose/init)( |$))`)

// inlineOf returns the commands between backticks, except those of keyhole, which
// TestInlineCommandsExist checks.
func inlineOf(source, text string) []printed {
	var all []printed
	for _, code := range inlineCode(text) {
		if program.MatchString(code) {
			all = append(all, printed{source: source, command: code})
		}
	}
	return all
}

// inlineCode returns the texts between backticks outside of fences.
func inlineCode(text string) []string {
	text = regexp.MustCompile("(?ms)^```.*?^```$").ReplaceAllString(text, "")
	var all []string
	for _, match := range regexp.MustCompile("`([^`\n]+)`").FindAllStringSubmatch(text, -1) {
		all = append(all, strings.ReplaceAll(match[1], `\|`, "|"))
	}
	return all
}

// commentsOf returns the commands in comments: lines with three or more spaces after the #.
func commentsOf(source, text string) []printed {
	var all []printed
	more := false
	for line := range strings.Lines(text) {
		match := regexp.MustCompile(`^#( {3,}\S.*)$`).FindStringSubmatch(strings.TrimSuffix(line, "\n"))
		if match == nil {
			more = false
			continue
		}
		command := strings.TrimSpace(match[1])
		if more {
			all[len(all)-1].command += "\n" + command
		} else {
			all = append(all, printed{source: source, command: command})
		}
		more = strings.HasSuffix(command, `\`)
	}
	return all
}

// commented are the files whose comments print commands. Those of scripts are not tested
// here.
var commented = []string{ //nolint:gochecknoglobals // A constant.
	"Dockerfile", "deploy/compose.yaml", "deploy/compose/init", "deploy/compose/config/keyhole.yaml",
	"deploy/docs/run/keyhole.yaml", "deploy/redis/redis.conf", "deploy/systemd/keyhole.service",
	"deploy/prometheus/prometheus.yml", "deploy/prometheus/rules/alerts.yml", "deploy/prometheus/rules/recording.yml",
}

// helpOf returns the examples of a command's --help.
func helpOf(command, help string) []printed {
	_, examples, _ := strings.Cut(help, "\nExamples:\n")
	examples, _, _ = strings.Cut(examples, "\n\n")
	source := command + " --help"
	var all []printed
	for line := range strings.Lines(examples) {
		if line = strings.TrimSpace(line); line != "" {
			all = append(all, printed{source: source, command: line})
		}
	}
	// In the text above, a command follows a colon and two spaces.
	text, _, _ := strings.Cut(help, "\nUsage:\n")
	for _, match := range regexp.MustCompile(`(?m):  (keyhole .+)$`).FindAllStringSubmatch(text, -1) {
		all = append(all, printed{source: source, command: match[1]})
	}
	return all
}

// helps returns the output of --help of every command of the binary.
func helps(t *testing.T, binary string) map[string]string {
	t.Helper()
	all := map[string]string{}
	var ask func(words ...string)
	ask = func(words ...string) {
		help := string(run(t, binary, append(slices.Clone(words), "--help")...))
		all[strings.Join(append([]string{"keyhole"}, words...), " ")] = help
		_, available, _ := strings.Cut(help, "\nAvailable Commands:\n")
		available, _, _ = strings.Cut(available, "\n\n")
		for line := range strings.Lines(available) {
			if name := strings.Fields(line)[0]; name != "help" {
				ask(append(slices.Clone(words), name)...)
			}
		}
	}
	ask()
	if len(all) < 15 {
		t.Fatalf("%d commands have a help: the list of commands is not read as it is printed", len(all))
	}
	return all
}

// allPrinted returns every command that is printed anywhere, by source and in the
// order of the source.
func allPrinted(t *testing.T, help map[string]string) map[string][]printed {
	t.Helper()
	all := map[string][]printed{}
	add := func(source string, commands []printed) {
		if len(commands) > 0 {
			all[source] = append(all[source], commands...)
		}
	}
	for _, source := range markdown(t) {
		text := file(t, source)
		add(source, fencesOf(source, text))
		add(source, inlineOf(source, text))
	}
	for _, source := range commented {
		add(source, commentsOf(source, file(t, source)))
	}
	for command, text := range help {
		add(command+" --help", helpOf(command, text))
	}
	for source, least := range map[string]int{
		"README.md": 9, installPage: 24, redisPage: 20, "deploy/docs/use/commands.md": 11, "deploy/docs/use/find.md": 7,
		"deploy/docs/use/change.md": 3, "deploy/docs/run/commands.md": 10,
		"deploy/docs/build/api.md": 14, "deploy/compose.yaml": 4,
		"keyhole share --help": 4, "keyhole --help": 1, "Dockerfile": 4,
	} {
		if len(all[source]) < least {
			t.Errorf("%s prints %d commands, at least %d are expected: it is not read as it is written",
				source, len(all[source]), least)
		}
	}
	return all
}

// file returns a file of the repository.
func file(t *testing.T, name string) string {
	t.Helper()
	text, err := fs.ReadFile(repository(), name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// markdown returns the paths of all documents.
func markdown(t *testing.T) []string {
	t.Helper()
	// The change log describes the past. reference.md is copied to run/configuration.md.
	all := repositoryFiles(t, ".git", "dist", "CHANGELOG.md", "config/testdata/reference.md")
	return slices.DeleteFunc(all, func(name string) bool { return path.Ext(name) != ".md" })
}
