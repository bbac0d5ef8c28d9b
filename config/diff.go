package config

import (
	"reflect"
	"slices"
)

// Diff returns the sorted paths of the keys whose values differ, such as redis.timeout
// or operator.keys[1].can. Entries of a list are compared by their index.
func Diff(a, b *Config) []string {
	before := map[string]any{}
	for _, s := range settings(a) {
		before[s.path] = s.value.Interface()
	}
	var changed []string
	for _, s := range settings(b) {
		value, had := before[s.path]
		if !had || !reflect.DeepEqual(value, s.value.Interface()) {
			changed = append(changed, s.path)
		}
		delete(before, s.path)
	}
	for path := range before { // keys that b does not have
		changed = append(changed, path)
	}
	slices.Sort(changed)
	return changed
}
