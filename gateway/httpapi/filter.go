package httpapi

import (
	"maps"
	"slices"
	"strings"

	"keyhole/gateway"
	"keyhole/gateway/api"
)

// refuseQuery returns the first error in the filters of a query, or nil.
func refuseQuery(found []gateway.FieldError) error {
	if len(found) == 0 {
		return nil
	}
	return gateway.Errorf(gateway.CodeBadRequest, "%s", found[0].Message)
}

// refuseBody returns the first error in the filters of a body, or nil.
func refuseBody(found []gateway.FieldError) error {
	if len(found) == 0 {
		return nil
	}
	return gateway.Invalid(found[0].Field, found[0].Code, found[0].Message)
}

// filterOfQuery returns the filters in the query of a list.
func filterOfQuery(query map[string]string, labels []string) gateway.LinkFilter {
	return gateway.LinkFilter{
		State: query["state"], Bucket: query["bucket"], Prefix: query["prefix"], Key: query["key"],
		CreatedBy: query["created_by"], Labels: labels,
		Since: query["since"], Used: query["used"], EndsWithin: query["ends_within"],
		EndsAfter: query["ends_after"],
	}
}

// filterOfBody returns the filters in the body of a bulk revocation. An empty filter is an
// error, because it would select every link.
func filterOfBody(body *api.RevocationRequest) (f gateway.LinkFilter, err error) {
	for _, field := range []struct {
		name  string
		asked *string
		into  *string
	}{
		{"bucket", body.Bucket, &f.Bucket},
		{"prefix", body.Prefix, &f.Prefix},
		{"key", body.Key, &f.Key},
		{"created_by", body.CreatedBy, &f.CreatedBy},
		{"state", body.State, &f.State},
		{"since", body.Since, &f.Since},
		{"used", body.Used, &f.Used},
		{"ends_within", body.EndsWithin, &f.EndsWithin},
		{"ends_after", body.EndsAfter, &f.EndsAfter},
	} {
		if field.asked == nil {
			continue
		}
		if *field.asked == "" {
			return f, gateway.Invalid(field.name, "empty", "the filter is empty; omit it or give it a value")
		}
		*field.into = *field.asked
	}
	if body.Label != nil {
		f.Labels = append(f.Labels, *body.Label)
	}
	if body.Labels == nil {
		return f, nil
	}
	if len(*body.Labels) == 0 {
		return f, gateway.Invalid("labels", "empty", "the filter is empty; omit it or name a label")
	}
	for _, name := range slices.Sorted(maps.Keys(*body.Labels)) {
		if strings.Contains(name, "=") || name == "" {
			return f, gateway.Invalid("labels", "invalid", "the name of a label is empty or contains =")
		}
		f.Labels = append(f.Labels, name+"="+(*body.Labels)[name])
	}
	return f, nil
}
