package console

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"github.com/labstack/echo/v4"

	"keyhole/gateway"
	"keyhole/gateway/api"
	"keyhole/gateway/convert"
)

// exportLimit is the largest number of rows of an export. A page states it.
const exportLimit = 10_000

// The formats of exports.
const (
	formatCSV    = "csv"
	formatNDJSON = "ndjson"
)

// rowWriter encodes the rows of an export.
type rowWriter[T any] interface {
	header() []byte
	row(*T) ([]byte, error)
	// cut returns the last line of an export that lacks rows, with the reason.
	cut(rows int, reason string) ([]byte, error)
}

// exportPage is one page of what an export reads.
type exportPage[T any] struct {
	rows []T
	next string // the cursor of the next page; empty: there is none
}

// export is a list that is sent as a file.
type export[T any] struct {
	name   string // of the file, without the time and the extension
	format string
	rows   rowWriter[T]
	read   func(ctx context.Context, cursor string) (exportPage[T], error)
}

// exportAudit returns the handler of the audit in a format.
func exportAudit(format string) func(*Console, echo.Context) error {
	return func(c *Console, ctx echo.Context) error {
		filter := auditFilterOf(ctx.Request().URL.Query())
		if unknown, err := c.resolveLink(ctx, &filter); err != nil || len(unknown) > 0 {
			// A dropped filter would export too much. Nobody checks the rows of a file.
			return errors.Join(err, refusedFilters(unknown))
		}
		q, refused := c.auditQuery(&filter, c.o.Now())
		if err := refusedFilters(refused); err != nil {
			return err
		}
		q.Limit = api.MaxLimit
		return send(c, ctx, export[api.Event]{
			name: "keyhole-audit", format: format, rows: writerOf(format, eventColumns()),
			read: func(at context.Context, cursor string) (exportPage[api.Event], error) {
				q.Cursor = cursor
				page, err := c.o.Service.Audit(at, actorOf(ctx), q)
				return exportPage[api.Event]{convert.AuditPage(&page).Events, page.Next}, err
			},
		})
	}
}

// exportLinks returns the handler of the list of links in a format.
func exportLinks(format string) func(*Console, echo.Context) error {
	return func(c *Console, ctx echo.Context) error {
		filter := filterOf(ctx.Request().URL.Query())
		q, refused := filter.listQuery()
		if err := refusedFilters(refused); err != nil {
			return err
		}
		q.Limit = api.MaxLimit
		return send(c, ctx, export[api.Link]{
			name: "keyhole-links", format: format, rows: writerOf(format, linkColumns()),
			read: func(at context.Context, cursor string) (exportPage[api.Link], error) {
				q.Cursor = cursor
				page, err := c.o.Service.List(at, actorOf(ctx), q)
				return exportPage[api.Link]{convert.LinkPage(&page).Links, page.Next}, err
			},
		})
	}
}

// refusedFilters returns the error of an export whose filters are wrong, or nil. An export
// has no form, so the page of the error names the fields.
func refusedFilters(refused []gateway.FieldError) error {
	if len(refused) == 0 {
		return nil
	}
	return &gateway.Error{
		Code: gateway.CodeInvalid, Message: "the filters of this export are invalid; see the fields", Fields: refused,
	}
}

// send answers with an export. It sends each page as soon as it is read, so the memory of an
// export does not grow with its rows. The first page is read before the header is sent: an
// error then still has its status. A later error can only be told in the last line.
func send[T any](c *Console, ctx echo.Context, e export[T]) error {
	page, err := e.read(ctx.Request().Context(), "")
	if err != nil {
		return err
	}
	h := ctx.Response().Header()
	// The time tells two exports of one list apart. It has no colon, because Windows does
	// not allow a colon in file names.
	name := fmt.Sprintf("%s-%s.%s", e.name, c.o.Now().UTC().Format("20060102T150405Z"), e.format)
	h.Set("Content-Disposition", `attachment; filename="`+name+`"`)
	h.Set("Content-Type", contentTypeOf(e.format))
	ctx.Response().WriteHeader(http.StatusOK)
	if ctx.Request().Method == http.MethodHead {
		return nil
	}
	out := bytes.NewBuffer(e.rows.header())
	for rows := 0; ; {
		for i := range page.rows {
			if rows == exportLimit {
				return e.finish(ctx, out, rows, fmt.Sprintf("an export has at most %d rows; narrow the filters", exportLimit))
			}
			line, err := e.rows.row(&page.rows[i])
			if err != nil {
				return err
			}
			out.Write(line)
			rows++
		}
		if err := flush(ctx, out); err != nil || page.next == "" {
			return err
		}
		if page, err = e.read(ctx.Request().Context(), page.next); err != nil {
			// The status 200 was sent long ago, so the last line has to say that rows are missing.
			c.o.Logger.Warn("export stopped before its end", "export", e.name, "rows", rows, "error", err)
			return e.finish(ctx, out, rows, reasonOfStop(err))
		}
	}
}

// reasonOfStop says why an export could not be read to its end.
func reasonOfStop(err error) string {
	if errors.Is(err, context.DeadlineExceeded) {
		return "the time of one request is over; narrow the filters"
	}
	if known, ok := errors.AsType[*gateway.Error](err); ok {
		return known.Message
	}
	return "the service has made a mistake"
}

// finish sends the last line of an export that lacks rows.
func (e *export[T]) finish(ctx echo.Context, out *bytes.Buffer, rows int, reason string) error {
	line, err := e.rows.cut(rows, reason)
	if err != nil {
		return err
	}
	out.Write(line)
	return flush(ctx, out)
}

// flush sends what has been encoded so far.
func flush(ctx echo.Context, out *bytes.Buffer) error {
	if _, err := out.WriteTo(ctx.Response()); err != nil {
		return fmt.Errorf("send an export: %w", err)
	}
	ctx.Response().Flush()
	return nil
}

// contentTypeOf returns the media type of a format.
func contentTypeOf(format string) string {
	if format == formatCSV {
		return "text/csv; charset=utf-8; header=present" // RFC 4180
	}
	return "application/x-ndjson"
}

// writerOf returns the encoder of a format.
func writerOf[T any](format string, columns []column[T]) rowWriter[T] {
	if format == formatCSV {
		return csvWriter[T]{columns}
	}
	return jsonWriter[T]{}
}

// jsonWriter writes each row as a line with the JSON of the API.
type jsonWriter[T any] struct{}

// header implements rowWriter: the format has none.
func (jsonWriter[T]) header() []byte { return nil }

// row implements rowWriter.
func (jsonWriter[T]) row(row *T) ([]byte, error) { return jsonLine(row) }

// cut implements rowWriter. No row has the member truncated.
func (jsonWriter[T]) cut(rows int, reason string) ([]byte, error) {
	return jsonLine(map[string]any{"truncated": true, "rows": rows, "reason": reason})
}

// jsonLine encodes a value on a line of its own.
func jsonLine(value any) ([]byte, error) {
	line, err := json.Marshal(value)
	if err != nil {
		return nil, fmt.Errorf("encode a row of an export: %w", err)
	}
	return append(line, '\n'), nil
}
