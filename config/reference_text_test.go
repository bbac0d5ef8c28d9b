package config

import (
	"embed"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"reflect"
	"strconv"
	"strings"
	"time"
)

//go:embed config.go public.go redis.go
var configSources embed.FS

//go:embed testdata/reference.md
var referenceIntro string

// referenceText is the text of deploy/docs/run/configuration.md: every key with its
// type, default, variable and meaning, from the structs of Config and
// their comments. The error is a comment that is missing, or that names another
// default than Default does.
func referenceText() (string, error) {
	comments, err := fieldComments()
	if err != nil {
		return "", err
	}
	sample := Default()
	sample.Storage = []Storage{DefaultStorage()}
	sample.Storage[0].Name = "<name>"
	sample.Operator.Keys = []OperatorKey{DefaultOperatorKey()}
	sample.Operator.Keys[0].Name = "<name>"
	sample.Operator.OIDC.Grants = []OIDCGrant{DefaultOIDCGrant()}
	sample.Operator.OIDC.Grants[0].Name = "<name>"
	sample.Pages.Links = []PageLink{{Name: "<name>"}}

	r := &reference{comments: comments, variables: map[string]string{}}
	for _, s := range settings(sample) {
		r.variables[s.path] = s.variable
	}
	fmt.Fprint(r, referenceIntro)
	if err := r.sections(reflect.ValueOf(sample).Elem()); err != nil {
		return "", err
	}
	return r.String(), nil
}

type reference struct {
	strings.Builder
	comments  map[string]string // by "Type.Field"
	variables map[string]string // by path
}

// sections writes a heading and a table for each key of the top level.
func (r *reference) sections(c reflect.Value) error {
	for i := range c.NumField() {
		field := c.Type().Field(i)
		path := field.Tag.Get("yaml")
		fmt.Fprintf(r, "\n## %s\n\n%s\n\n", path, cell(r.comments["Config."+field.Name]))
		fmt.Fprint(r, "| key | type | default | variable | meaning |\n| --- | --- | --- | --- | --- |\n")
		section := c.Field(i)
		if section.Kind() == reflect.Slice {
			section, path = section.Index(0), path+"[0]"
		}
		if err := r.rows(section, path); err != nil {
			return err
		}
	}
	return nil
}

func (r *reference) rows(v reflect.Value, path string) error {
	for i := range v.NumField() {
		field, value := v.Type().Field(i), v.Field(i)
		comment, ok := r.comments[v.Type().Name()+"."+field.Name]
		if !ok {
			return fmt.Errorf("field %s.%s has no comment", v.Type().Name(), field.Name)
		}
		key := join(path, field.Tag.Get("yaml"))
		switch {
		case isSecret(value.Type()):
			r.row("", "secret", "", r.variables[join(path, field.Tag.Get("env"))], comment)
			continue
		case value.Kind() == reflect.Slice && !isTexts(value.Type()):
			key += "[0]"
			value = value.Index(0)
		}
		if value.Kind() == reflect.Struct {
			r.row(key, "section", "", "", comment)
			if err := r.rows(value, key); err != nil {
				return err
			}
			continue
		}
		meaning, standard, err := splitDefault(comment, value)
		if err != nil {
			return fmt.Errorf("comment on %s: %w", key, err)
		}
		r.row(key, strings.TrimPrefix(typeText(value.Type()), "a "), standard, r.variables[key], meaning)
	}
	return nil
}

func (r *reference) row(key, kind, standard, variable, meaning string) {
	fmt.Fprintf(r, "| %s | %s | %s | %s | %s |\n",
		code(strings.ReplaceAll(key, "[0]", "[]")), kind, cell(standard), code(variable), cell(meaning))
}

// splitDefault parts the last sentence of a comment from the rest: "Required."
// or "Default: VALUE." with, after a comma, what that value means.
func splitDefault(comment string, value reflect.Value) (meaning, standard string, err error) {
	if rest, ok := strings.CutSuffix(comment, "Required."); ok {
		return strings.TrimSpace(rest), "required", nil
	}
	at := strings.LastIndex(comment, "Default: ")
	if at < 0 || !strings.HasSuffix(comment, ".") {
		return "", "", fmt.Errorf("does not end in a default")
	}
	said := strings.TrimSuffix(comment[at+len("Default: "):], ".")
	is := defaultText(value)
	rest, ok := strings.CutPrefix(said, is)
	if !ok || rest != "" && !strings.HasPrefix(rest, ", ") {
		return "", "", fmt.Errorf("says the default is %q, which is %q", said, is)
	}
	if is != "empty" && is != "none" {
		is = "`" + is + "`"
	}
	return strings.TrimSpace(comment[:at]), is + rest, nil
}

func defaultText(v reflect.Value) string {
	switch x := v.Interface().(type) {
	case time.Duration:
		return durationText(x)
	case []string:
		if len(x) == 0 {
			return "none"
		}
		return strings.Join(x, ", ")
	case bool:
		return strconv.FormatBool(x)
	case int:
		return strconv.Itoa(x)
	case string:
		if x != "" {
			return x
		}
	}
	return "empty"
}

// fieldComments reads the comments of the fields of every struct in configSources.
func fieldComments() (map[string]string, error) {
	entries, err := configSources.ReadDir(".")
	out := map[string]string{}
	for _, entry := range entries {
		source, failed := configSources.ReadFile(entry.Name())
		err = errors.Join(err, failed, addFieldComments(out, entry.Name(), source))
	}
	return out, err
}

// addFieldComments adds the comments of the fields of every struct in a source file.
func addFieldComments(out map[string]string, name string, source []byte) error {
	file, err := parser.ParseFile(token.NewFileSet(), name, source, parser.ParseComments)
	if err != nil {
		return fmt.Errorf("reading the comments: %w", err)
	}
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.TypeSpec)
		if !ok {
			return true
		}
		if s, ok := spec.Type.(*ast.StructType); ok {
			for _, f := range s.Fields.List {
				for _, name := range f.Names {
					if f.Doc != nil {
						// Comments of several lines become one cell of a table.
						out[spec.Name.Name+"."+name.Name] = strings.Join(strings.Fields(f.Doc.Text()), " ")
					}
				}
			}
		}
		return false
	})
	return nil
}

func code(s string) string {
	if s == "" {
		return ""
	}
	return "`" + s + "`"
}

// cell makes text fit a cell of a table.
func cell(s string) string {
	return strings.NewReplacer("\n", " ", "|", `\|`).Replace(s)
}
