package httpapi

import (
	"bytes"
	"errors"
	"io"
	"mime"
	"net/http"
	"reflect"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/labstack/echo/v4"

	"keyhole/gateway"
	"keyhole/gateway/api"
)

// maxBody is the largest body of a request, in bytes.
const maxBody = 1 << 20

// decode reads the request's JSON object into v and nothing else: unknown,
// repeated or differently cased fields, a second value, invalid UTF-8 and lone
// surrogates are refused. A silently replaced byte would share another object.
func decode(c echo.Context, v any) error {
	r := c.Request()
	if err := checkMediaType(r); err != nil {
		return err
	}
	body, err := io.ReadAll(http.MaxBytesReader(c.Response(), r.Body, maxBody))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return gateway.Errorf(gateway.CodeTooLarge, "the body is over 1 MiB")
	case err != nil:
		return &gateway.Error{Code: gateway.CodeBadRequest, Message: "the body could not be read", Err: err}
	case hasByteOrderMark(body):
		return gateway.Errorf(gateway.CodeBadRequest, "the body begins with a byte order mark; send it in UTF-8 without one")
	case !bytes.HasPrefix(bytes.TrimLeft(body, " \t\r\n"), []byte("{")):
		return gateway.Errorf(gateway.CodeBadRequest, "the body must be one JSON object")
	}
	// The decoder's error can quote the body, which may hold a passphrase: it is
	// told apart, not passed on.
	var isNull *gateway.Error
	err = json.Unmarshal(body, v, json.RejectUnknownMembers(true), json.WithUnmarshalers(json.UnmarshalFromFunc(refuseNull)))
	switch {
	case errors.As(err, &isNull):
		return isNull
	case err != nil:
		return badJSON(err, v)
	}
	return nil
}

// hasByteOrderMark tells whether a body begins with the mark of UTF-8 or UTF-16, which
// some editors and PowerShell write and JSON does not allow (RFC 8259 section 8.1).
func hasByteOrderMark(body []byte) bool {
	return bytes.HasPrefix(body, []byte("\xef\xbb\xbf")) || bytes.HasPrefix(body, []byte("\xff\xfe")) ||
		bytes.HasPrefix(body, []byte("\xfe\xff"))
}

// refuseNull refuses null for every field but sensitive, of which nothing may be known.
// JSON has it mean that nothing is said, and a script that its variable was not set: a
// filter or a restriction would be lost without a word.
func refuseNull(d *jsontext.Decoder, _ any) error {
	field := knownField(string(d.StackPointer()))
	if d.PeekKind() != 'n' || field == "" || field == "sensitive" {
		return errors.ErrUnsupported // to be read as ever
	}
	return gateway.Invalid(field, "null", "null says nothing; leave the field out")
}

// badJSON says where a body went wrong that should have been read into v, without
// quoting it.
func badJSON(err error, v any) error {
	where := ""
	var semantic *json.SemanticError
	if errors.As(err, &semantic) && semantic.JSONPointer != "" {
		if field := knownField(string(semantic.JSONPointer)); field != "" {
			where = " (see " + field + ")"
		}
	}
	if errors.Is(err, json.ErrUnknownName) {
		return gateway.Errorf(gateway.CodeBadRequest, "the body has a field that this request does not know; it knows: %s", strings.Join(fieldsOf(v), ", "))
	}
	return gateway.Errorf(gateway.CodeBadRequest,
		"the body is not the JSON object this request takes: strict JSON in UTF-8, each field once, each of its type%s", where)
}

// fieldsOf lists the fields of a body, a pointer to a struct.
func fieldsOf(v any) []string {
	var names []string
	of := reflect.TypeOf(v).Elem()
	for i := range of.NumField() {
		if name, _, _ := strings.Cut(of.Field(i).Tag.Get("json"), ","); name != "-" {
			names = append(names, name)
		}
	}
	return names
}

// knownField returns the first segment of a JSON pointer if it is a plain name.
func knownField(pointer string) string {
	name, _, _ := strings.Cut(strings.TrimPrefix(pointer, "/"), "/")
	if name == "" || len(name) > 32 || strings.Trim(name, "abcdefghijklmnopqrstuvwxyz_") != "" {
		return ""
	}
	return name
}

// checkMediaType lets plain JSON through and nothing that would need decoding
// first.
func checkMediaType(r *http.Request) error {
	media, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	charset := strings.ToLower(params["charset"])
	if err != nil || media != api.MediaType || (charset != "" && charset != "utf-8") ||
		len(r.Header["Content-Type"]) != 1 || r.Header.Get("Content-Encoding") != "" {
		return gateway.Errorf(gateway.CodeMediaType, "the body must be %s, not encoded", api.MediaType)
	}
	return nil
}
