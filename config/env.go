package config

import (
	"maps"
	"regexp"
	"slices"
	"strings"
)

const variablePrefix = "KEYHOLE_"

// serviceLink matches the variables that Kubernetes injects for a service named
// "keyhole…" in the namespace (enableServiceLinks, on by default):
// https://kubernetes.io/docs/concepts/services-networking/service/#environment-variables
var serviceLink = regexp.MustCompile(`_(SERVICE_HOST|SERVICE_PORT(_[A-Z0-9_]+)?|PORT|PORT_[0-9]+_(TCP|UDP)(_[A-Z]+)?)$`)

// clientVariables returns the variables that belong to the commands and not to the
// configuration.
func clientVariables() []string {
	return []string{"KEYHOLE_KEY", "KEYHOLE_OPERATOR_URL", "KEYHOLE_CONTEXT", "KEYHOLE_CONFIG"}
}

// environment applies the KEYHOLE_ variables of environ to c. environ has the form of
// os.Environ; of two variables with the same name, the last one counts.
func (f *findings) environment(c *Config, all settingsIndex, environ []string) {
	set := map[string]string{}
	for _, e := range environ {
		if name, value, ok := strings.Cut(e, "="); ok && strings.HasPrefix(name, variablePrefix) {
			set[name] = value
		}
	}
	for _, name := range slices.Sorted(maps.Keys(set)) {
		at := source{variable: shown(name)}
		found := all.byVariable[name]
		switch {
		case len(found) > 1:
			f.add("", at, "names both %s and %s: set them in the file", found[0].path, found[1].path)
		case len(found) == 1:
			s := found[0]
			if twin, ok := all.byPath[s.twin]; ok && isSecret(s.value.Type()) && set[twin.variable] != "" {
				f.add(s.path, at, "is set together with %s: set one of the two", twin.variable)
				continue
			}
			f.apply(s, all.byPath[s.twin], set[name], at)
		case !slices.Contains(clientVariables(), name) && !serviceLink.MatchString(name):
			f.unknownVariable(c, all.byVariable, name)
		}
	}
}

// overrides applies values of flags. A path has the names of entries instead of their
// indexes: storage.main.endpoint.
func (f *findings) overrides(all settingsIndex, values map[string]string) {
	for _, path := range slices.Sorted(maps.Keys(values)) {
		found := all.byVariable["KEYHOLE_"+variablePart(path)]
		if len(found) != 1 {
			f.add(shown(path), source{}, "names no key, or more than one key")
			continue
		}
		f.apply(found[0], all.byPath[found[0].twin], values[path], source{})
	}
}

// settingsIndex finds the keys of a configuration.
type settingsIndex struct {
	list       []setting            // in the order of Config
	byVariable map[string][]setting // several if their names become the same name of a variable
	byPath     map[string]setting
}

// index lists the keys of c. Call it after decode: variables and overrides change neither
// names nor lengths of lists, so the index stays valid.
func index(c *Config) settingsIndex {
	all := settingsIndex{list: settings(c), byVariable: map[string][]setting{}, byPath: map[string]setting{}}
	for _, s := range all.list {
		all.byPath[s.path] = s
		if s.variable != "" {
			all.byVariable[s.variable] = append(all.byVariable[s.variable], s)
		}
	}
	return all
}

// apply sets a key from text. A secret and its file exclude each other, so the later
// source clears the other key.
func (f *findings) apply(s, twin setting, text string, at source) {
	f.set(s.path, at)
	// A problem of the file with this key stays reported, but the key has a value now.
	delete(f.spoiled, s.path)
	if twin.path != "" && text != "" {
		twin.value.SetZero()
		delete(f.sources, twin.path)
	}
	if err := setText(s.value, text); err != nil {
		s.value.SetZero()
		f.spoil(s.path, at, "%s", err)
		if twin.path != "" {
			f.spoiled[twin.path] = true
		}
	}
}

func (f *findings) unknownVariable(c *Config, byVariable map[string][]setting, name string) {
	at := source{variable: shown(name)}
	for _, list := range []struct {
		prefix, what string
		names        []string
	}{
		{"KEYHOLE_STORAGE_", "storage", namesOf(c.Storage, func(s *Storage) string { return s.Name })},
		{"KEYHOLE_OPERATOR_KEYS_", "operator key", namesOf(c.Operator.Keys, func(k *OperatorKey) string { return k.Name })},
		{"KEYHOLE_OPERATOR_OIDC_GRANTS_", "grant", namesOf(c.Operator.OIDC.Grants,
			func(g *OIDCGrant) string { return g.Name })},
		{"KEYHOLE_PAGES_LINKS_", "footer link", namesOf(c.Pages.Links, func(l *PageLink) string { return l.Name })},
	} {
		rest, ok := strings.CutPrefix(name, list.prefix)
		if ok && !slices.ContainsFunc(list.names, func(n string) bool {
			return strings.HasPrefix(rest, variablePart(n)+"_")
		}) {
			known := "none"
			if len(list.names) > 0 {
				known = strings.Join(list.names, ", ")
			}
			f.add("", at, "names no %s of the file, which has %s: a variable can only change an entry that is in the file",
				list.what, known)
			return
		}
	}
	var candidates []string
	for v := range byVariable {
		candidates = append(candidates, strings.TrimPrefix(v, variablePrefix))
	}
	for _, v := range clientVariables() {
		candidates = append(candidates, strings.TrimPrefix(v, variablePrefix))
	}
	slices.Sort(candidates)
	meant := Nearest(strings.TrimPrefix(name, variablePrefix), candidates)
	if meant == "" {
		f.add("", at, "names no key of the configuration; unset it")
		return
	}
	for _, s := range byVariable[variablePrefix+meant] {
		f.meant[s.path] = true
	}
	f.add("", at, "names no key of the configuration; did you mean %s?", variablePrefix+meant)
}

// namesOf returns the names of the entries of a list, without empty ones.
func namesOf[E any](entries []E, name func(*E) string) []string {
	var out []string
	for i := range entries {
		if n := name(&entries[i]); n != "" {
			out = append(out, n)
		}
	}
	return out
}
