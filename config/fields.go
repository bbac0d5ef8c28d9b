package config

import (
	"fmt"
	"reflect"
	"strings"
)

// fieldNames has the keys of one section of the file.
type fieldNames struct {
	names []string
	index map[string]int
}

func yamlFields(t reflect.Type) fieldNames {
	out := fieldNames{index: map[string]int{}}
	for i := range t.NumField() {
		if name := t.Field(i).Tag.Get("yaml"); name != "-" {
			out.names = append(out.names, name)
			out.index[name] = i
		}
	}
	return out
}

// isSecretKey reports whether name is a secret that only a variable may hold.
func isSecretKey(t reflect.Type, name string) bool {
	for i := range t.NumField() {
		if f := t.Field(i); isSecret(f.Type) && f.Tag.Get("env") == name {
			return true
		}
	}
	return false
}

// setting is one key that holds a value, and the variable that overrides it.
type setting struct {
	path     string // redis.password_file; of a secret redis.password
	variable string // KEYHOLE_REDIS_PASSWORD_FILE; "" for the names of entries
	value    reflect.Value
	// twin links a secret and the key of its file: each has the path of the other. At
	// most one of the two has a value.
	twin string
}

// settings lists every key of c, in the order of Config.
func settings(c *Config) []setting {
	return appendSettings(nil, reflect.ValueOf(c).Elem(), "", "KEYHOLE")
}

func appendSettings(out []setting, v reflect.Value, path, variable string) []setting {
	t := v.Type()
	for i := range t.NumField() {
		field := t.Field(i)
		name := field.Tag.Get("yaml")
		if isSecret(field.Type) {
			name = field.Tag.Get("env")
		}
		s := setting{
			path:     join(path, name),
			variable: variable + "_" + variablePart(name),
			value:    v.Field(i),
		}
		switch {
		case isSecret(field.Type):
			s.twin = s.path + "_file"
			out = append(out, s)
		case field.Type.Kind() == reflect.Struct:
			out = appendSettings(out, s.value, s.path, s.variable)
		case field.Type.Kind() == reflect.Slice && !isTexts(field.Type):
			for j := range s.value.Len() {
				entry := s.value.Index(j)
				out = appendSettings(out, entry, fmt.Sprintf("%s[%d]", s.path, j),
					s.variable+"_"+variablePart(entry.FieldByName("Name").String()))
			}
		default:
			if field.Tag.Get("env") == "-" {
				s.variable = ""
			}
			if secret, ok := strings.CutSuffix(name, "_file"); ok && isSecretKey(t, secret) {
				s.twin = join(path, secret)
			}
			out = append(out, s)
		}
	}
	return out
}

// variablePart returns the spelling of a key or of an entry's name in variables.
func variablePart(name string) string {
	return strings.ReplaceAll(strings.ReplaceAll(strings.ToUpper(name), "-", "_"), ".", "_")
}

// typeText names the type of a key's value.
func typeText(t reflect.Type) string {
	switch {
	case isDuration(t):
		return "a duration"
	case isTexts(t):
		return "a list of text"
	case t.Kind() == reflect.Bool:
		return "true or false"
	case t.Kind() == reflect.Int:
		return "a whole number"
	default:
		return "text"
	}
}
