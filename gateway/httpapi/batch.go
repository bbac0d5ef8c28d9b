package httpapi

import (
	"errors"
	"log/slog"
	"net/http"

	"github.com/labstack/echo/v4"

	"keyhole/gateway"
	"keyhole/gateway/api"
	"keyhole/gateway/convert"
)

// issueBatch answers POST /api/v1/links:batch. The status is 200 if the batch was
// processed, even if no link was issued: each result has a status of its own.
func (a *API) issueBatch(c echo.Context) error {
	var body api.BatchRequest
	if err := decodeUpTo(c, &body, maxBatchBody); err != nil {
		return err
	}
	retry, err := idempotencyOf(c.Request(), &body)
	if err != nil {
		return err
	}
	actor := actorOf(c)
	if n := len(body.Links); n > 1 && n <= gateway.MaxBatch {
		quota, err := a.o.Operators.Charge(actor, n-1) // authenticate has counted one
		setQuota(c.Response().Header(), quota)
		if err != nil {
			return err
		}
	}
	request := gateway.BatchRequest{
		Links: make([]gateway.IssueRequest, len(body.Links)), DryRun: body.DryRun, Idempotency: retry,
	}
	for i := range body.Links {
		request.Links[i] = convert.IssueRequest(&body.Links[i])
	}
	results, err := a.o.Service.IssueBatch(c.Request().Context(), actor, &request)
	if err != nil {
		return err
	}
	summary := &batchSummary{links: len(results)}
	c.Set(contextBatch, summary)
	answer := api.Batch{Results: make([]api.BatchResult, len(results))}
	for i := range results {
		answer.Results[i] = a.batchResult(&results[i], body.DryRun)
		summary.add(&results[i], body.DryRun)
	}
	return writeJSON(c, http.StatusOK, api.MediaType, answer)
}

// batchResult returns the result of one link as the API shows it.
func (a *API) batchResult(result *gateway.BatchResult, dryRun bool) api.BatchResult {
	switch {
	case result.Err != nil:
		problem := problemJSON(problemOf(result.Err))
		return api.BatchResult{Status: problem.Status, Problem: &problem}
	case dryRun:
		link := convert.Link(&result.Issued.Link)
		link.ID = ""
		return api.BatchResult{Status: http.StatusOK, Link: &link}
	}
	link := a.issuedJSON(&result.Issued)
	return api.BatchResult{Status: http.StatusCreated, Link: &link}
}

// batchSummary is what the log says about a batch.
type batchSummary struct {
	links, issued int
	internal      bool  // a link failed because of a defect of this service
	err           error // the first error
}

// add adds the result of one link.
func (b *batchSummary) add(result *gateway.BatchResult, dryRun bool) {
	if result.Err == nil {
		if !dryRun {
			b.issued++
		}
		return
	}
	_, known := errors.AsType[*gateway.Error](result.Err)
	if b.err == nil || !known && !b.internal {
		b.err = result.Err
	}
	b.internal = b.internal || !known
}

// attrs returns the attributes of the log line.
func (b *batchSummary) attrs() []slog.Attr {
	attrs := []slog.Attr{slog.Int("links", b.links), slog.Int("issued", b.issued)}
	if b.err != nil {
		attrs = append(attrs, slog.String("error", b.err.Error()))
	}
	return attrs
}

// level returns the level of the log line.
func (b *batchSummary) level() slog.Level {
	if b.internal {
		return slog.LevelError
	}
	return slog.LevelInfo
}
