// Command apiclient uses the operator API as a stranger would: over a client that
// oapi-codegen makes of the API's description. It is compiled by the test that makes
// the client, into this package.
package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"

	_ "github.com/oapi-codegen/runtime" // The client imports it.
)

func main() {
	if err := run(context.Background(), os.Getenv("KEYHOLE_OPERATOR_URL"), os.Getenv("KEYHOLE_KEY"), os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// run issues a link, looks at it, changes it and revokes it, and asks for what is
// refused.
func run(ctx context.Context, address, key, bucket, object string) error {
	c, err := NewClientWithResponses(address, WithRequestEditorFn(func(_ context.Context, r *http.Request) error {
		r.Header.Set("Authorization", "Bearer "+key)
		return nil
	}))
	if err != nil {
		return err
	}
	retry := "once"
	body := IssueLinkJSONRequestBody{Bucket: bucket, Key: object, Note: new("generated"), Labels: &map[string]string{"made": "by"}}
	issued, err := c.IssueLinkWithResponse(ctx, &IssueLinkParams{IdempotencyKey: &retry}, body)
	if err != nil {
		return err
	}
	if issued.JSON201 == nil {
		return fmt.Errorf("issue: %s %s", issued.Status(), issued.Body)
	}
	link := issued.JSON201
	again, err := c.IssueLinkWithResponse(ctx, &IssueLinkParams{IdempotencyKey: &retry}, body)
	if err != nil || again.JSON201 == nil || *again.JSON201.Url != *link.Url {
		return fmt.Errorf("the repeated issue is another link: %w", err)
	}
	shown, err := c.ShowLinkWithResponse(ctx, link.Id)
	if err != nil || shown.JSON200 == nil || shown.JSON200.Url != nil || shown.JSON200.Note != "generated" {
		return fmt.Errorf("show: %w", err)
	}
	etag := shown.HTTPResponse.Header.Get("ETag")
	changed, err := c.ChangeLinkWithResponse(ctx, link.Id, &ChangeLinkParams{IfMatch: &etag}, ChangeLinkJSONRequestBody{Note: new("changed")})
	if err != nil || changed.JSON200 == nil || changed.JSON200.Note != "changed" {
		return fmt.Errorf("change: %w", err)
	}
	stale, err := c.ChangeLinkWithResponse(ctx, link.Id, &ChangeLinkParams{IfMatch: &etag}, ChangeLinkJSONRequestBody{Note: new("late")})
	if err != nil || stale.ApplicationproblemJSON412 == nil {
		return fmt.Errorf("a change of what was changed: %w", err)
	}
	listed, err := c.ListLinksWithResponse(ctx, &ListLinksParams{Label: &[]string{"made=by"}})
	if err != nil || listed.JSON200 == nil || len(listed.JSON200.Links) != 1 {
		return fmt.Errorf("list: %w", err)
	}
	revoked, err := c.RevokeLinkWithResponse(ctx, link.Id, &RevokeLinkParams{Reason: new("done")})
	if err != nil || revoked.JSON200 == nil || revoked.JSON200.State != "revoked" {
		return fmt.Errorf("revoke: %w", err)
	}
	refused, err := c.IssueLinkWithResponse(ctx, nil, IssueLinkJSONRequestBody{Bucket: bucket, Key: "missing"})
	if err != nil || refused.ApplicationproblemJSON422 == nil || (*refused.ApplicationproblemJSON422.Errors)[0].Code != "object_not_found" {
		return errors.Join(errors.New("a missing object is not refused as described"), err)
	}
	fmt.Println(*link.Url)
	return nil
}
