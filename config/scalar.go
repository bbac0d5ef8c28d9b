package config

import (
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

var (
	bareNumber = regexp.MustCompile(`^[+-]?[0-9]{1,12}(\.[0-9]{1,12})?$`)
	// Up to four digits, days cannot overflow a time.Duration.
	wholeDays = regexp.MustCompile(`^[0-9]{1,4}$`)
	plainName = regexp.MustCompile(`^[A-Za-z0-9_.-]{1,100}$`)
)

func isDuration(t reflect.Type) bool { return t == reflect.TypeFor[time.Duration]() }

func isSecret(t reflect.Type) bool { return t == reflect.TypeFor[Secret]() }

func isTexts(t reflect.Type) bool { return t == reflect.TypeFor[[]string]() }

// setText sets v, a value of one of the types of the configuration, from the
// text of a variable or of a YAML scalar. Lists are separated by commas. The
// text is repeated in no error: it may be a secret in the wrong place.
func setText(v reflect.Value, text string) error {
	switch {
	case isDuration(v.Type()):
		d, err := parseDuration(text)
		if err != nil {
			return err
		}
		v.SetInt(int64(d))
	case isSecret(v.Type()):
		if err := checkSecret(text); err != nil {
			return err
		}
		v.Set(reflect.ValueOf(NewSecret(text)))
	case isTexts(v.Type()):
		items, err := splitList(text)
		if err != nil {
			return err
		}
		v.Set(reflect.ValueOf(items))
	case v.Kind() == reflect.Bool:
		if text != "true" && text != "false" {
			return errors.New("must be true or false")
		}
		v.SetBool(text == "true")
	case v.Kind() == reflect.Int:
		n, err := strconv.Atoi(text)
		if err != nil {
			return errors.New("must be a whole number")
		}
		v.SetInt(int64(n))
	default:
		if err := checkText(text); err != nil {
			return err
		}
		v.SetString(text)
	}
	return nil
}

func parseDuration(text string) (time.Duration, error) {
	// Before ParseDuration, which takes a bare 0.
	if bareNumber.MatchString(text) {
		return 0, fmt.Errorf("needs a unit: write %ss, %sm or %sh", text, text, text)
	}
	if d, err := time.ParseDuration(text); err == nil {
		return d, nil
	}
	if days, ok := strings.CutSuffix(text, "d"); ok && wholeDays.MatchString(days) {
		n, err := strconv.Atoi(days)
		return time.Duration(n) * 24 * time.Hour, err
	}
	return 0, errors.New("must be a duration such as 30s, 15m, 24h or 7d")
}

// splitList splits at commas; "" is the empty list. It is never nil, because an
// empty list that was asked for differs from none.
func splitList(text string) ([]string, error) {
	items := []string{}
	if strings.TrimSpace(text) == "" {
		return items, nil
	}
	for item := range strings.SplitSeq(text, ",") {
		item = strings.TrimSpace(item)
		if item == "" {
			return nil, errors.New("has an empty item: separate the items by one comma each")
		}
		if err := checkText(item); err != nil {
			return nil, err
		}
		items = append(items, item)
	}
	return items, nil
}

// checkText refuses what no key may contain: a line break in an address or a
// name ends up in a header, a log line or a Redis command.
func checkText(text string) error {
	if !utf8.ValidString(text) {
		return errors.New("is not valid UTF-8")
	}
	if hasControl(text) {
		return errors.New("contains a line break or another control character")
	}
	return nil
}

// checkSecret is checkText for what must not be empty.
func checkSecret(text string) error {
	if text == "" {
		return errors.New("is empty: give the secret, or leave it unset")
	}
	return checkText(text)
}

func hasControl(s string) bool {
	return strings.ContainsFunc(s, func(r rune) bool { return r < 0x20 || r == 0x7f })
}

// quote repeats the path of a file that is there, or an address that was understood,
// short enough for a line. No other value is repeated: it may be a secret.
func quote(s string) string {
	if r := []rune(s); len(r) > 60 {
		s = string(r[:60]) + "…"
	}
	return strconv.Quote(s)
}

// shown is the name of an unknown key or variable as a message gives it. What is no
// name is not repeated: a value without its key ends up there.
func shown(name string) string {
	if plainName.MatchString(name) {
		return name
	}
	return "(not a name)"
}

// durationText is a duration as one would write it: 168h, not 168h0m0s.
func durationText(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}
