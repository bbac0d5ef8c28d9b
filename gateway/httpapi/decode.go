package httpapi

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"reflect"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/labstack/echo/v4"

	"keyhole/gateway"
	"keyhole/gateway/api"
)

// The maximum sizes of a body in bytes. A batch fits 100 links with the longest key, note
// and labels, also if the client escapes every character that is not ASCII, as Python does.
const (
	maxBody      = 1 << 20
	maxBatchBody = 4 << 20
)

// decode decodes the JSON object in a request's body into v. It refuses unknown and
// repeated fields, fields in another case, a second value, invalid UTF-8 and lone
// surrogates. A decoder that silently replaces a byte of a key would share another
// object.
func decode(c echo.Context, v any) error { return decodeUpTo(c, v, maxBody) }

// decodeUpTo is decode with a maximum size of the body in bytes.
func decodeUpTo(c echo.Context, v any, limit int64) error {
	r := c.Request()
	if err := checkMediaType(r); err != nil {
		return err
	}
	body, err := io.ReadAll(http.MaxBytesReader(c.Response(), r.Body, limit))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return gateway.Errorf(gateway.CodeTooLarge, "the body is larger than %d MiB", limit>>20)
	case err != nil:
		return &gateway.Error{Code: gateway.CodeBadRequest, Message: "the body is incomplete; send it again", Err: err}
	case hasByteOrderMark(body):
		return gateway.Errorf(gateway.CodeBadRequest, "the body starts with a byte order mark; send UTF-8 without one")
	case !bytes.HasPrefix(bytes.TrimLeft(body, " \t\r\n"), []byte("{")):
		return gateway.Errorf(gateway.CodeBadRequest, "the body must be one JSON object")
	}
	// The decoder's error can quote the body, which may contain a passphrase. So the
	// answer has a fixed text.
	var isNull *gateway.Error
	err = json.Unmarshal(body, v, json.RejectUnknownMembers(true),
		json.WithUnmarshalers(json.UnmarshalFromFunc(refuseNull)))
	switch {
	case errors.As(err, &isNull):
		return isNull
	case err != nil:
		return badJSON(err, v)
	}
	return nil
}

// hasByteOrderMark reports whether a body starts with the byte order mark of UTF-8 or
// UTF-16. Some editors and PowerShell write one, and JSON does not allow it (RFC 8259
// section 8.1).
func hasByteOrderMark(body []byte) bool {
	return bytes.HasPrefix(body, []byte("\xef\xbb\xbf")) || bytes.HasPrefix(body, []byte("\xff\xfe")) ||
		bytes.HasPrefix(body, []byte("\xfe\xff"))
}

// refuseNull refuses null for every field except sensitive, where null means "not
// stated". A script sends null if a variable is not set. If Keyhole accepted null, it
// would drop a filter or a restriction that the author wanted.
func refuseNull(d *jsontext.Decoder, _ any) error {
	field := knownField(string(d.StackPointer()))
	if d.PeekKind() != 'n' || field == "" || field == "sensitive" || strings.HasSuffix(field, "].sensitive") {
		return errors.ErrUnsupported // to be decoded as usual
	}
	return gateway.Invalid(field, "null", "null is not a value for this field; omit the field")
}

// badJSON returns the error of a body that does not decode into v. It names the field and
// quotes nothing.
func badJSON(err error, v any) error {
	where := ""
	var semantic *json.SemanticError
	if errors.As(err, &semantic) && semantic.JSONPointer != "" {
		if field := knownField(string(semantic.JSONPointer)); field != "" {
			where = " (see " + field + ")"
		}
	}
	if errors.Is(err, json.ErrUnknownName) {
		in := "the body"
		if strings.HasPrefix(where, " (see links[") {
			v, in = &api.IssueRequest{}, "a link of the body"
		}
		return gateway.Errorf(gateway.CodeBadRequest, "unknown field in %s; the known fields are: %s",
			in, strings.Join(fieldsOf(v), ", "))
	}
	return gateway.Errorf(gateway.CodeBadRequest,
		"the body is not valid: send one JSON object in UTF-8, with each field once and each value of its type%s", where)
}

// fieldsOf returns the names of the fields of v, a pointer to a struct, in JSON.
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

// knownField returns the first segment of a JSON pointer if it looks like the name of a
// field, and "" otherwise. Below a link of a batch it returns a text such as
// links[3].bucket.
func knownField(pointer string) string {
	name, rest, _ := strings.Cut(strings.TrimPrefix(pointer, "/"), "/")
	if index, below, nested := strings.Cut(rest, "/"); name == "links" && nested {
		if n, err := strconv.Atoi(index); err == nil && knownField(below) != "" {
			return fmt.Sprintf("links[%d].%s", n, knownField(below))
		}
	}
	if name == "" || len(name) > 32 || strings.Trim(name, "abcdefghijklmnopqrstuvwxyz_") != "" {
		return ""
	}
	return name
}

// checkMediaType refuses bodies that are not plain JSON, such as compressed ones.
func checkMediaType(r *http.Request) error {
	media, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	charset := strings.ToLower(params["charset"])
	if err != nil || media != api.MediaType || (charset != "" && charset != "utf-8") ||
		len(r.Header["Content-Type"]) != 1 || r.Header.Get("Content-Encoding") != "" {
		return gateway.Errorf(gateway.CodeMediaType, "the body must be %s in UTF-8 without Content-Encoding", api.MediaType)
	}
	return nil
}
