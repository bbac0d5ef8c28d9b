package config

import (
	"reflect"
	"slices"
)

// Diff returns the paths of the keys whose values differ, as Config has them, such
// as redis.timeout or operator.keys[1].can; of what stands in a list, by its place.
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
	for path := range before { // that b has no more
		changed = append(changed, path)
	}
	slices.Sort(changed)
	return changed
}
