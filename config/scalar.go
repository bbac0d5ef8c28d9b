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
	// With at most four digits, days cannot overflow a time.Duration.
	wholeDays = regexp.MustCompile(`^[0-9]{1,4}$`)
	plainName = regexp.MustCompile(`^[A-Za-z0-9_.-]{1,100}$`)
)

func isDuration(t reflect.Type) bool { return t == reflect.TypeFor[time.Duration]() }

func isSecret(t reflect.Type) bool { return t == reflect.TypeFor[Secret]() }

func isTexts(t reflect.Type) bool { return t == reflect.TypeFor[[]string]() }

// setText sets v from the text of a variable or of a YAML scalar. v has one of the types
// of the configuration. Commas separate the items of a list. Errors never contain the
// text, because it may be a secret in the wrong place.
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

// parseDuration reads a duration with its unit. Unlike time.ParseDuration it accepts whole
// days. gateway.ParseLife accepts the same notations and then checks the rules for lives of
// links; here every key has limits of its own, and some durations may be 0.
func parseDuration(text string) (time.Duration, error) {
	// This check is first, because ParseDuration accepts 0 without a unit.
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

// splitList splits text at commas; "" is the empty list. It never returns a nil list,
// because an empty list that was set differs from a list that was not set.
func splitList(text string) ([]string, error) {
	items := []string{}
	if strings.TrimSpace(text) == "" {
		return items, nil
	}
	for item := range strings.SplitSeq(text, ",") {
		item = strings.TrimSpace(item)
		if item == "" {
			return nil, errors.New("has an empty item: put one comma between two items")
		}
		if err := checkText(item); err != nil {
			return nil, err
		}
		items = append(items, item)
	}
	return items, nil
}

// checkText refuses text that is invalid for every key. A line break in an address or a
// name could become part of a header, a log line or a Redis command.
func checkText(text string) error {
	if !utf8.ValidString(text) {
		return errors.New("is not valid UTF-8")
	}
	if hasControl(text) {
		return errors.New("contains a line break or another control character")
	}
	return nil
}

// checkSecret refuses empty text, and all text that checkText refuses.
func checkSecret(text string) error {
	if text == "" {
		return errors.New("is empty: set it to the secret, or unset it")
	}
	return checkText(text)
}

func hasControl(s string) bool {
	return strings.ContainsFunc(s, func(r rune) bool { return r < 0x20 || r == 0x7f })
}

// quote returns a value in quotes, shortened to 60 characters. Use it only for the path of
// a file that exists or for a valid address: any other value may be a secret.
func quote(s string) string {
	if r := []rune(s); len(r) > 60 {
		s = string(r[:60]) + "…"
	}
	return strconv.Quote(s)
}

// shown returns the name of an unknown key or variable for a message. It hides text that
// is not a name, because such text may be a value without its key.
func shown(name string) string {
	if plainName.MatchString(name) {
		return name
	}
	return "(not a name)"
}

// durationText returns a duration as people write it: 168h, not 168h0m0s. It writes no
// days, unlike gateway.FormatLife, so that limits and values in a message have one unit.
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
