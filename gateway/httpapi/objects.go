package httpapi

import (
	"net/http"

	"github.com/labstack/echo/v4"

	"keyhole/gateway"
	"keyhole/gateway/api"
	"keyhole/gateway/convert"
)

// listBuckets answers GET /api/v1/buckets.
func (a *API) listBuckets(c echo.Context) error {
	if _, err := queryOf(c); err != nil {
		return err
	}
	buckets, err := a.o.Service.Buckets(actorOf(c))
	if err != nil {
		return err
	}
	return writeJSON(c, http.StatusOK, api.MediaType, api.BucketList{Buckets: convert.Buckets(buckets)})
}

// listObjects answers GET /api/v1/objects.
func (a *API) listObjects(c echo.Context) error {
	query, err := queryOf(c, "storage", "bucket", "prefix", "search", "limit", "cursor")
	if err != nil {
		return err
	}
	q := gateway.ObjectsQuery{
		Storage: query["storage"], Bucket: query["bucket"], Prefix: query["prefix"], Search: query["search"],
		Cursor: query["cursor"],
	}
	if q.Bucket == "" {
		return gateway.Errorf(gateway.CodeBadRequest,
			"the bucket is missing: add bucket=NAME; GET /api/v1/buckets lists the buckets")
	}
	if q.Limit, err = limitOf(query); err != nil {
		return err
	}
	page, err := a.o.Service.Objects(c.Request().Context(), actorOf(c), q)
	if err != nil {
		return err
	}
	return writeJSON(c, http.StatusOK, api.MediaType, convert.ObjectPage(q.Bucket, &page))
}
