package convert

import (
	"keyhole/gateway"
	"keyhole/gateway/api"
)

// Event returns an event as the API shows it, without the object of its link: the events of
// one link need no object.
func Event(e *gateway.Event) api.Event {
	w := api.Event{
		ID: e.ID, Time: e.Time.UTC(), Kind: string(e.Kind), Link: e.Link.String(), Outcome: string(e.Outcome),
		Method: e.Method, Actor: e.Actor, Address: e.Address, Reason: e.Reason,
	}
	if e.Link == (gateway.ID{}) {
		w.Link = "" // an event of no single link, such as a sign-in
	}
	return w
}

// AuditEvent returns an event of the audit as the API shows it.
func AuditEvent(e *gateway.AuditEvent) api.Event {
	w := Event(&e.Event)
	w.Storage, w.Bucket, w.Key = e.Ref.Storage, e.Ref.Bucket, e.Ref.Key
	return w
}

// EventPage returns a page of the events of one link as the API shows it.
func EventPage(list *gateway.EventList) api.EventPage {
	w := api.EventPage{Events: make([]api.Event, len(list.Events)), Next: list.Next}
	for i := range list.Events {
		w.Events[i] = Event(&list.Events[i])
	}
	return w
}

// AuditPage returns a page of the audit as the API shows it. As with LinkPage, the last page
// does not have the number of examined events.
func AuditPage(page *gateway.AuditPage) api.EventPage {
	w := api.EventPage{Events: make([]api.Event, len(page.Events)), Next: page.Next, More: page.More}
	if page.Next != "" {
		w.Searched = page.Searched
	}
	for i := range page.Events {
		w.Events[i] = AuditEvent(&page.Events[i])
	}
	return w
}
