package httpapi

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/labstack/echo/v4"

	"keyhole/gateway"
	"keyhole/gateway/admission"
	"keyhole/gateway/api"
	"keyhole/gateway/convert"
)

// defaultLimit is the number of entries on a page if the request states none.
const defaultLimit = 50

// issueLink answers POST /api/v1/links.
func (a *API) issueLink(c echo.Context) error {
	var body api.IssueRequest
	if err := decode(c, &body); err != nil {
		return err
	}
	retry, err := idempotencyOf(c.Request(), &body)
	if err != nil {
		return err
	}
	request := convert.IssueRequest(&body)
	request.Idempotency = retry
	issued, err := a.o.Service.Issue(c.Request().Context(), actorOf(c), &request)
	if err != nil {
		return err
	}
	c.Set(contextLink, issued.Link.ID)
	link := a.issuedJSON(&issued)
	c.Response().Header().Set("Location", "/api/v1/links/"+link.ID)
	return writeLink(c, http.StatusCreated, &issued.Link, link)
}

// issuedJSON returns a new link with its URL.
func (a *API) issuedJSON(issued *gateway.Issued) api.Link {
	link := convert.Link(&issued.Link)
	link.URL = a.o.PublicURL + "/" + issued.Token
	return link
}

// idempotencyKey matches the allowed values of the header Idempotency-Key.
var idempotencyKey = regexp.MustCompile(`^[ -~]{1,128}$`)

// idempotencyOf returns the gateway.Idempotency of a request, or nil without an
// Idempotency-Key. It encodes the decoded body again, so that bodies with different white
// space or order of fields count as equal.
func idempotencyOf(r *http.Request, body any) (*gateway.Idempotency, error) {
	values := r.Header["Idempotency-Key"]
	if len(values) == 0 {
		return nil, nil //nolint:nilnil // nil means that there is no key.
	}
	if len(values) > 1 || !idempotencyKey.MatchString(values[0]) {
		return nil, gateway.Invalid("Idempotency-Key", "invalid",
			"the header must occur once and have 1 to 128 printable ASCII characters")
	}
	request, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	key, _ := admission.Bearer(r.Header["Authorization"])
	return gateway.NewIdempotency(key, values[0], request)
}

// listLinks answers GET /api/v1/links.
func (a *API) listLinks(c echo.Context) error {
	query, labels, err := queryWith(c, "label", "state", "bucket", "prefix", "key", "created_by", "label", "since", "used",
		"ends_within", "ends_after", "limit", "cursor")
	if err != nil {
		return err
	}
	filter := filterOfQuery(query, labels)
	q, found := filter.Query()
	if err := refuseQuery(found); err != nil {
		return err
	}
	q.Cursor = query["cursor"]
	if q.Limit, err = limitOf(query); err != nil {
		return err
	}
	page, err := a.o.Service.List(c.Request().Context(), actorOf(c), q)
	if err != nil {
		return err
	}
	return writeJSON(c, http.StatusOK, api.MediaType, convert.LinkPage(&page))
}

// showLink answers GET /api/v1/links/{id}. It also accepts the beginning of an id, because
// recipients see only the reference of their link.
func (a *API) showLink(c echo.Context) error {
	if _, err := queryOf(c); err != nil {
		return err
	}
	if prefix, ok := gateway.ParseIDPrefix(c.Param("id")); ok {
		link, err := a.o.Service.ShowPrefix(c.Request().Context(), actorOf(c), prefix)
		if err != nil {
			return err
		}
		c.Set(contextLink, link.ID)
		return writeLink(c, http.StatusOK, &link, convert.Link(&link))
	}
	id, err := linkID(c)
	if err != nil {
		return err
	}
	link, err := a.o.Service.Show(c.Request().Context(), actorOf(c), id)
	if err != nil {
		return err
	}
	return writeLink(c, http.StatusOK, &link, convert.Link(&link))
}

// revokeLink answers DELETE /api/v1/links/{id}.
func (a *API) revokeLink(c echo.Context) error {
	query, err := queryOf(c, "reason")
	if err != nil {
		return err
	}
	id, err := linkID(c)
	if err != nil {
		return err
	}
	if len(c.Request().Header["If-Match"]) > 0 {
		return gateway.Errorf(gateway.CodeBadRequest, "a revocation cannot be conditional; remove the header If-Match")
	}
	if n, _ := c.Request().Body.Read(make([]byte, 1)); n > 0 {
		return gateway.Errorf(gateway.CodeBadRequest, "a revocation has no body; send its reason in the query")
	}
	link, err := a.o.Service.Revoke(c.Request().Context(), actorOf(c), id, query["reason"])
	if err != nil {
		return err
	}
	return writeLink(c, http.StatusOK, &link, convert.Link(&link))
}

// changeLink answers PATCH /api/v1/links/{id}.
func (a *API) changeLink(c echo.Context) error {
	id, err := linkID(c)
	if err != nil {
		return err
	}
	var body api.ChangeRequest
	if err := decode(c, &body); err != nil {
		return err
	}
	revisions, err := ifMatch(c.Request())
	if err != nil {
		return err
	}
	link, err := a.o.Service.Change(c.Request().Context(), actorOf(c), id, &gateway.ChangeRequest{
		ExpiresIn: body.ExpiresIn, MaxClicks: body.MaxClicks, Language: body.Language, Note: body.Note,
		Labels: body.Labels, Paused: body.Paused, IfMatch: revisions,
		Allow: body.Allow, Passphrase: body.Passphrase, NotBefore: body.NotBefore, Remove: body.Remove,
	})
	if err != nil {
		return err
	}
	return writeLink(c, http.StatusOK, &link, convert.Link(&link))
}

// linkEvents answers GET /api/v1/links/{id}/events.
func (a *API) linkEvents(c echo.Context) error {
	query, err := queryOf(c, "limit", "cursor")
	if err != nil {
		return err
	}
	limit, err := limitOf(query)
	if err != nil {
		return err
	}
	id, err := linkID(c)
	if err != nil {
		return err
	}
	list, err := a.o.Service.Events(c.Request().Context(), actorOf(c), id, query["cursor"], limit)
	if err != nil {
		return err
	}
	return writeJSON(c, http.StatusOK, api.MediaType, convert.EventPage(&list))
}

// linkID returns the id in the path. Text that is not an id gets the same answer as an
// unknown link.
func linkID(c echo.Context) (gateway.ID, error) {
	id, ok := gateway.ParseID(c.Param("id"))
	if !ok {
		return id, gateway.Errorf(gateway.CodeNotFound, "there is no such link in the scope of this key")
	}
	c.Set(contextLink, id)
	return id, nil
}

// queryOf returns the parameters of the query. It refuses repeated and unknown
// parameters: if it ignored a mistyped filter, the request would select every link. It
// reports the first error, in the order of the parameters' names.
func queryOf(c echo.Context, known ...string) (map[string]string, error) {
	query, _, err := queryWith(c, "", known...)
	return query, err
}

// queryWith is queryOf for a query in which one of the known parameters may be repeated.
// It returns all values of that parameter.
func queryWith(c echo.Context, repeated string, known ...string) (query map[string]string, all []string, err error) {
	values, err := url.ParseQuery(c.Request().URL.RawQuery)
	if err != nil {
		return nil, nil, gateway.Errorf(gateway.CodeBadRequest, "the query is not well-formed; percent-encode its values")
	}
	if len(known) == 0 && len(values) > 0 {
		return nil, nil, gateway.Errorf(gateway.CodeBadRequest, "this request takes no parameters in the query; remove them")
	}
	query = make(map[string]string, len(values))
	for _, name := range slices.Sorted(maps.Keys(values)) {
		if !slices.Contains(known, name) {
			return nil, nil, gateway.Errorf(gateway.CodeBadRequest,
				"unknown parameter in the query; the known parameters are: %s", strings.Join(known, ", "))
		}
		for i, value := range values[name] {
			switch {
			case value == "" && name != "reason": // an empty filter would select everything
				return nil, nil, gateway.Errorf(gateway.CodeBadRequest, "%s is empty; omit it or give it a value", name)
			case !utf8.ValidString(value):
				return nil, nil, gateway.Errorf(gateway.CodeBadRequest, "%s is not valid UTF-8", name)
			case i > 0 && name != repeated:
				return nil, nil, gateway.Errorf(gateway.CodeBadRequest, "%s occurs more than once in the query", name)
			}
		}
		query[name] = values[name][0]
	}
	return query, values[repeated], nil
}

// limitOf returns the number of entries that the request asks for.
func limitOf(query map[string]string) (int, error) {
	text, ok := query["limit"]
	if !ok {
		return defaultLimit, nil
	}
	limit, err := strconv.Atoi(text)
	if err != nil || limit < 1 || limit > api.MaxLimit {
		return 0, gateway.Errorf(gateway.CodeBadRequest, "limit must be a number from 1 to %d", api.MaxLimit)
	}
	return limit, nil
}
