package gateway

import (
	"errors"
	"strings"
	"testing"
	"time"
)

func TestChange(t *testing.T) {
	t.Parallel()
	ref := ObjectRef{Storage: "main", Bucket: "reports", Key: "q3.pdf"}
	issuer := func() *Actor { a := everything(); a.Can = []Action{ActionIssue}; return a }
	revoker := func() *Actor { a := everything(); a.Can = []Action{ActionRevoke}; return a }
	short := func() *Actor { a := everything(); a.MaxExpiry = time.Hour; return a }
	note := "n"
	tests := []struct {
		name  string
		actor *Actor
		link  Link
		req   ChangeRequest
		store error
		want  string // code, and field:code where it is invalid; empty: changed
	}{
		{"a note", issuer(), Link{}, ChangeRequest{Note: &note}, nil, ""},
		{"a language", issuer(), Link{}, ChangeRequest{Language: new("de")}, nil, ""},
		{"no language", issuer(), Link{Language: "de"}, ChangeRequest{Language: new("")}, nil, ""},
		{
			"a language with revoke alone", revoker(),
			Link{},
			ChangeRequest{Paused: new(true), Language: new("de")},
			nil,
			"forbidden",
		},
		{"an unknown language", issuer(), Link{}, ChangeRequest{Language: new("de-AT")}, nil, "invalid language:invalid"},
		{"pause with revoke", revoker(), Link{}, ChangeRequest{Paused: new(true)}, nil, ""},
		{"pause with issue alone", issuer(), Link{}, ChangeRequest{Paused: new(true)}, nil, "forbidden"},
		{"a note with revoke alone", revoker(), Link{}, ChangeRequest{Paused: new(true), Note: &note}, nil, "forbidden"},
		{"pause and a note with issue", issuer(), Link{}, ChangeRequest{Paused: new(true), Note: &note}, nil, ""},
		{"nothing", everything(), Link{}, ChangeRequest{}, nil, "invalid expires_in:required"},
		{
			"clicks of a plain link", everything(),
			Link{},
			ChangeRequest{MaxClicks: new(int64(3))},
			nil,
			"invalid max_clicks:not_limited",
		},
		{"clicks of a confirmed one", everything(), Link{Confirm: true}, ChangeRequest{MaxClicks: new(int64(3))}, nil, ""},
		{
			"no clicks", everything(),
			Link{MaxClicks: 2},
			ChangeRequest{MaxClicks: new(int64(0))},
			nil,
			"invalid max_clicks:invalid",
		},
		{
			"below the clicks", everything(),
			Link{MaxClicks: 2},
			ChangeRequest{MaxClicks: new(int64(1))},
			&ChangeError{Limit: LimitClicks, Clicks: 2}, "invalid max_clicks:below_clicks",
		},
		{
			"too long a note", everything(),
			Link{},
			ChangeRequest{Note: new(strings.Repeat("é", 1001))},
			nil,
			"invalid note:too_long",
		},
		{
			"bad labels", everything(),
			Link{},
			ChangeRequest{Labels: &map[string]string{"A": "b"}},
			nil,
			"invalid labels:invalid",
		},
		{
			"longer than the policy", everything(),
			Link{},
			ChangeRequest{ExpiresIn: new("25h")},
			nil,
			"invalid expires_in:over_policy",
		},
		{"for long, not sensitive", everything(), Link{Sensitive: new(false)}, ChangeRequest{ExpiresIn: new("25h")}, nil, ""},
		{
			"longer than the key gives", short(),
			Link{},
			ChangeRequest{ExpiresIn: new("61m")},
			nil,
			"out_of_scope expires_in:out_of_scope",
		},
		{
			"nothing left to give", everything(),
			Link{},
			ChangeRequest{ExpiresIn: new("23h")},
			&ChangeError{Limit: LimitLife, Longest: 0}, "invalid expires_in:over_policy",
		},
		{
			"longer in all", everything(),
			Link{},
			ChangeRequest{ExpiresIn: new("23h")},
			&ChangeError{Limit: LimitLife, Longest: time.Hour}, "invalid expires_in:over_policy",
		},
		{"no life", everything(), Link{}, ChangeRequest{ExpiresIn: new("0s")}, nil, "invalid expires_in:invalid"},
		{
			"an end before the start", everything(),
			Link{},
			ChangeRequest{ExpiresIn: new("1h")},
			ErrNeverValid,
			"invalid expires_in:invalid",
		},
		{"revoked", everything(), Link{State: StateRevoked}, ChangeRequest{Note: &note}, nil, "not_active"},
		{"used up", everything(), Link{State: StateUsedUp}, ChangeRequest{Paused: new(false)}, nil, "not_active"},
		{"expired meanwhile", everything(), Link{}, ChangeRequest{Note: &note}, ErrEnded, "not_active"},
		{"redis away", everything(), Link{}, ChangeRequest{Note: &note}, ErrUnavailable, "unavailable"},
		{
			"not confirmed", everything(),
			Link{},
			ChangeRequest{Note: &note},
			errors.Join(ErrUnavailable, ErrNotConfirmed),
			"not_confirmed",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, nil)
			tt.link.ID, tt.link.Ref = IDOf("x"), ref
			if tt.link.State == "" {
				tt.link.State = StateActive
			}
			f.store.links[tt.link.ID], f.store.changeErr = tt.link, tt.store
			_, err := f.service.Change(t.Context(), tt.actor, tt.link.ID, &tt.req)
			got := ""
			var refused *Error
			if errors.As(err, &refused) {
				got = string(refused.Code)
				for _, field := range refused.Fields {
					got += " " + field.Field + ":" + field.Code
				}
			} else if err != nil {
				got = err.Error()
			}
			if got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

// TestExtendBySensitivity sees the caps of what is known of the object now.
func TestExtendBySensitivity(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil)
	link := Link{Ref: ObjectRef{Storage: "main", Bucket: "reports", Key: "a/invoices/1"}, Sensitive: new(false)}
	if _, _, err := f.service.policy.Load().extend(everything(), &link, "48h"); err == nil {
		t.Error("a link to what the policy holds sensitive by now lives longer than a day")
	}
	actor := everything()
	actor.MaxExpiry = 2 * time.Hour
	for asked, want := range map[string]time.Duration{"2h999ms": 2 * time.Hour, "2h1s": 0} {
		// The key's limit is cut to like the policy's, and never exceeded.
		if life, _, err := f.service.policy.Load().extend(actor, &link, asked); life != want || (err == nil) != (want > 0) {
			t.Errorf("%s: got %v, %v", asked, life, err)
		}
	}
	life, longest, err := f.service.policy.Load().extend(actor, &link, "1h")
	if err != nil || life != time.Hour || longest != 2*time.Hour {
		t.Errorf("got %v of %v, %v", life, longest, err)
	}
}

func TestRevokeAll(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		req  BulkRequest
		want string
	}{
		{"nothing", BulkRequest{}, "all:required"},
		{"all", BulkRequest{All: true}, ""},
		{"all and a bucket", BulkRequest{All: true, Query: ListQuery{Bucket: "reports"}}, "all:conflict"},
		{"prefix without bucket", BulkRequest{Query: ListQuery{Prefix: "a/"}}, "bucket:required"},
		{"key and prefix", BulkRequest{Query: ListQuery{Bucket: "reports", Prefix: "a/", Key: "a/b"}}, "prefix:conflict"},
		{"all filters", BulkRequest{Query: ListQuery{
			Bucket: "reports", Prefix: "a/", CreatedBy: "ci", Labels: map[string]string{"l": ""}, States: []State{StatePaused},
			Age: time.Hour, Unused: true, EndsWithin: time.Hour,
		}, Reason: "leak"}, ""},
		{"revoked links", BulkRequest{Query: ListQuery{States: []State{StateActive, StateRevoked}}}, "state:not_revocable"},
		{"expired links", BulkRequest{Query: ListQuery{States: []State{StateExpired}}}, "state:not_revocable"},
		{"used-up links", BulkRequest{Query: ListQuery{States: []State{StateUsedUp}}}, ""},
		{"too long a reason", BulkRequest{All: true, Reason: strings.Repeat("x", 1001)}, "reason:too_long"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, nil)
			f.store.ended = BulkResult{Matched: 5, Revoked: 4, Done: true}
			result, err := f.service.RevokeAll(t.Context(), everything(), &tt.req)
			got := ""
			var refused *Error
			if errors.As(err, &refused) && len(refused.Fields) > 0 {
				got = refused.Fields[0].Field + ":" + refused.Fields[0].Code
			}
			if got != tt.want {
				t.Fatalf("got %q (%v), want %q", got, err, tt.want)
			}
			if tt.want != "" {
				if f.store.calls != 0 {
					t.Error("the store was asked")
				}
				return
			}
			if result != f.store.ended || f.store.bulk.Reason != tt.req.Reason || f.store.bulk.Budget != bulkBudget ||
				f.store.query.Match == nil {
				t.Errorf("got %+v, asked %+v", result, f.store.bulk)
			}
			if n := f.series(t)["keyhole_links_revoked_total{how=bulk}"]; n != 4 {
				t.Errorf("counted %v", n)
			}
		})
	}
	reader := everything()
	reader.Can = []Action{ActionRead}
	if _, err := newFixture(t, nil).service.RevokeAll(t.Context(), reader, &BulkRequest{All: true}); err == nil {
		t.Error("a key that may only read revoked links")
	}
}

// TestAuditScope sees the feed left unfiltered for a key that sees everything
// alone.
func TestAuditScope(t *testing.T) {
	t.Parallel()
	for objects, filtered := range map[Pattern]bool{"*": false, "reports/*": true} {
		f := newFixture(t, nil)
		actor := everything()
		actor.Objects = []Pattern{objects}
		if _, err := f.service.Audit(t.Context(), actor, AuditQuery{}); err != nil {
			t.Fatal(err)
		}
		if (f.store.audit.Match != nil) != filtered {
			t.Errorf("%s: the feed is filtered: %v", objects, !filtered)
		}
	}
}

func TestChangeOfOneRevision(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil)
	id := f.put(StateActive, ObjectRef{"main", "reports", "a"})
	link := f.store.links[id]
	link.Revision = "now"
	f.store.links[id] = link
	note := "n"
	for name, tt := range map[string]struct {
		asked []string
		code  Code
		found string // what the store is to find
	}{
		"any":          {nil, "", ""},
		"this one":     {[]string{"now"}, "", "now"},
		"one of two":   {[]string{"before", "now"}, "", "now"},
		"another one":  {[]string{"before"}, CodePrecondition, ""},
		"none at all":  {[]string{}, CodePrecondition, ""},
		"an empty one": {[]string{""}, CodePrecondition, ""},
	} {
		f.store.change = Change{}
		_, err := f.service.Change(t.Context(), everything(), id, &ChangeRequest{Note: &name, IfMatch: tt.asked})
		if tt.code != "" {
			wantCode(t, err, tt.code)
		} else if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if f.store.change.Revision != tt.found {
			t.Errorf("%s: the store is to find %q, want %q", name, f.store.change.Revision, tt.found)
		}
	}
	f.store.changeErr = ErrChanged // by another, after it was read
	_, err := f.service.Change(t.Context(), everything(), id, &ChangeRequest{Note: &note, IfMatch: []string{"now"}})
	wantCode(t, err, CodePrecondition)
}

// A change that is in force already is made again, by whatever revision it is asked
// for: the first try was perhaps not confirmed.
func TestChangeMadeAlready(t *testing.T) {
	t.Parallel()
	labels := map[string]string{"case": "7"}
	for name, tt := range map[string]struct {
		req  ChangeRequest
		made bool
	}{
		"the same": {
			ChangeRequest{Note: new("n"), Labels: &map[string]string{"case": "7"}, MaxClicks: new(int64(3)), Paused: new(true)},
			true,
		},
		"paused already":    {ChangeRequest{Paused: new(true)}, true},
		"the same language": {ChangeRequest{Language: new("pl")}, true},
		"another language":  {ChangeRequest{Language: new("de")}, false},
		"no language":       {ChangeRequest{Language: new("")}, false},
		"not resumed yet":   {ChangeRequest{Paused: new(false)}, false},
		"another note":      {ChangeRequest{Note: new("m"), Paused: new(true)}, false},
		"other labels":      {ChangeRequest{Labels: &map[string]string{}}, false},
		"more clicks":       {ChangeRequest{MaxClicks: new(int64(4))}, false},
		"a life from now":   {ChangeRequest{Note: new("n"), ExpiresIn: new("1h")}, false},
	} {
		f := newFixture(t, nil)
		link := Link{
			ID: IDOf("x"), State: StatePaused, Ref: ObjectRef{"main", "reports", "a"}, Note: "n", Labels: labels, MaxClicks: 3,
			Language: "pl", Revision: "now",
		}
		f.store.links[link.ID] = link
		tt.req.IfMatch = []string{"before"}
		_, err := f.service.Change(t.Context(), everything(), link.ID, &tt.req)
		if !tt.made {
			wantCode(t, err, CodePrecondition)
		} else if err != nil || f.store.change.Revision != "now" {
			t.Errorf("%s: %v; the store is to find %q", name, err, f.store.change.Revision)
		}
	}
}
