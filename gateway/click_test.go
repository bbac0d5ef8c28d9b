package gateway

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"keyhole/signer"
)

// admitted is a verdict that redirects to an object.
func admitted(p Permission) Admission {
	if p.Ref == (ObjectRef{}) {
		p.Ref = ObjectRef{"main", "reports", "2026/q3.pdf"}
	}
	if p.Disposition == "" {
		p.Disposition = DispositionAttachment
	}
	if p.Remaining == 0 {
		p.Remaining = time.Hour
	}
	if p.Pin == "" {
		p.Pin = PinNone
	}
	return Admission{Outcome: OutcomeRedirected, Permission: p}
}

func TestClickSignsWhatWasAdmitted(t *testing.T) {
	t.Parallel()
	inline := Permission{Disposition: DispositionInline}
	video, audio, image := inline, inline, inline
	video.ContentType, audio.ContentType, image.ContentType = "video/mp4", "audio/ogg", "image/png"
	typed := func(contentType string) Permission {
		return Permission{Disposition: DispositionInline, ContentType: contentType}
	}
	saved := Permission{Disposition: DispositionAttachment, ContentType: "video/mp4"}
	tests := []struct {
		name       string
		method     string
		permission Permission
		want       signer.Request
	}{
		{"GET", "GET", Permission{}, signer.Request{Method: "GET", Lifetime: 30 * time.Second}},
		{"HEAD is signed as HEAD", "HEAD", Permission{}, signer.Request{Method: "HEAD", Lifetime: 30 * time.Second}},
		{"POST is followed with GET", "POST", Permission{}, signer.Request{Method: "GET", Lifetime: 30 * time.Second}},
		{
			"never longer than the link", "GET",
			Permission{Remaining: 7 * time.Second},
			signer.Request{Method: "GET", Lifetime: 30 * time.Second, Within: 7 * time.Second},
		},
		{"inline video", "GET", video, signer.Request{Method: "GET", Lifetime: time.Hour, ContentType: "video/mp4"}},
		{"inline audio", "GET", audio, signer.Request{Method: "GET", Lifetime: time.Hour, ContentType: "audio/ogg"}},
		{
			"inline video, in other case", "GET", typed("Video/MP4"),
			signer.Request{Method: "GET", Lifetime: time.Hour, ContentType: "Video/MP4"},
		},
		{
			"inline video, with a parameter", "GET", typed(`video/mp4; codecs="a, b"`),
			signer.Request{Method: "GET", Lifetime: time.Hour, ContentType: `video/mp4; codecs="a, b"`},
		},
		{
			"inline PDF, which is read by ranges", "GET", typed("application/pdf"),
			signer.Request{Method: "GET", Lifetime: time.Hour, ContentType: "application/pdf"},
		},
		{
			"inline Ogg", "GET", typed("application/ogg"),
			signer.Request{Method: "GET", Lifetime: time.Hour, ContentType: "application/ogg"},
		},
		{
			"inline audio that no header can say", "GET", typed("audio/é"),
			signer.Request{Method: "GET", Lifetime: 30 * time.Second, ContentType: "application/octet-stream"},
		},
		{
			"inline text", "GET", typed("text/plain"),
			signer.Request{Method: "GET", Lifetime: 30 * time.Second, ContentType: "text/plain"},
		},
		{"inline image", "GET", image, signer.Request{Method: "GET", Lifetime: 30 * time.Second, ContentType: "image/png"}},
		{
			"a video that is saved", "GET", saved,
			signer.Request{Method: "GET", Lifetime: 30 * time.Second, ContentType: "video/mp4"},
		},
		{
			"a type that no header can say", "GET",
			Permission{ContentType: "text/plain\r\nX: é"},
			signer.Request{Method: "GET", Lifetime: 30 * time.Second, ContentType: "application/octet-stream"},
		},
		{
			"inline video of a link that ends", "GET",
			Permission{Disposition: DispositionInline, ContentType: "video/mp4", Remaining: time.Minute},
			signer.Request{Method: "GET", Lifetime: time.Hour, Within: time.Minute, ContentType: "video/mp4"},
		},
		{
			"a version", "GET",
			Permission{Pin: PinVersion, VersionID: "v1"},
			signer.Request{Method: "GET", VersionID: "v1", Lifetime: 30 * time.Second},
		},
		{
			"a name of its own", "GET",
			Permission{Filename: "größe.pdf"},
			signer.Request{
				Method: "GET", Lifetime: 30 * time.Second,
				ContentDisposition: `attachment; filename="gr__e.pdf"; filename*=UTF-8''gr%C3%B6%C3%9Fe.pdf`,
			},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, nil)
			f.objects.info.VersionID = "v1"
			f.clicks.admission = admitted(tt.permission)
			attempt := Attempt{ID: IDOf("x"), Method: tt.method, Address: "192.0.2.9"}
			answer, err := f.service.Click(t.Context(), attempt)
			if err != nil || answer != (Answer{Outcome: OutcomeRedirected, Location: f.signer.url}) {
				t.Fatalf("got %+v, %v", answer, err)
			}
			want := tt.want
			want.Bucket, want.Key = "reports", "2026/q3.pdf"
			if want.Within == 0 {
				want.Within = time.Hour
			}
			if want.ContentDisposition == "" {
				want.ContentDisposition = f.clicks.admission.Permission.Disposition + `; filename="q3.pdf"`
			}
			if len(f.signer.requests) != 1 || f.signer.requests[0] != want {
				t.Errorf("signed %+v\nwant   %+v", f.signer.requests, want)
			}
			if len(f.clicks.admitted) != 1 || f.clicks.admitted[0] != attempt || len(f.clicks.noted) != 0 {
				t.Errorf("admitted %+v, failed %v", f.clicks.admitted, f.clicks.noted)
			}
			if n := f.series(t)["keyhole_sign_duration_seconds{storage=main}"]; n != 1 {
				t.Errorf("%v signatures measured, want 1", n)
			}
		})
	}
}

// A refusal of the store's signs nothing and is noted once, but that of a link which
// is not known, and that of a HEAD.
func TestClickThatTheStoreRefusesSignsNothing(t *testing.T) {
	t.Parallel()
	for _, outcome := range Outcomes() {
		if outcome == OutcomeRedirected || outcome == OutcomePage {
			continue
		}
		for _, method := range []string{"GET", "HEAD"} {
			f := newFixture(t, nil)
			f.clicks.admission = admitted(Permission{})
			f.clicks.admission.Outcome = outcome
			answer, err := f.service.Click(t.Context(), Attempt{Method: method})
			f.service.Wait()
			if err != nil || answer != (Answer{Outcome: outcome}) {
				t.Errorf("%s: got %+v, %v", outcome, answer, err)
			}
			want := "refused " + string(outcome)
			if method == "HEAD" || outcome == OutcomeNotFound {
				want = ""
			}
			if noted := strings.Join(f.clicks.noted, ","); len(f.signer.requests) != 0 || noted != want {
				t.Errorf("%s %s: signed %v, noted %q, want %q", method, outcome, f.signer.requests, noted, want)
			}
		}
	}
}

// A click that was counted and cannot be delivered, because its link's record cannot
// be read, is noted beside its count.
func TestClickThatWasCountedAndCannotBeRead(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil)
	f.clicks.err = errors.Join(ErrUnavailable, ErrCounted, ErrRecord)
	answer, err := f.service.Click(t.Context(), Attempt{Method: "GET"})
	f.service.Wait()
	if answer != (Answer{Outcome: OutcomeUnavailable}) || !errors.Is(err, ErrRecord) {
		t.Errorf("got %+v, %v", answer, err)
	}
	if noted := strings.Join(f.clicks.noted, ","); noted != "failed unavailable" {
		t.Errorf("noted %q", noted)
	}
}

func TestClickIsUnavailableWhereRedisCannotBeAsked(t *testing.T) {
	t.Parallel()
	for _, cause := range []error{ErrUnavailable, context.DeadlineExceeded, errors.New("unknown record version")} {
		f := newFixture(t, nil)
		// What comes beside an error is never believed.
		f.clicks.admission, f.clicks.err = admitted(Permission{}), cause
		answer, err := f.service.Click(t.Context(), Attempt{Method: "GET"})
		if answer != (Answer{Outcome: OutcomeUnavailable}) || !errors.Is(err, cause) {
			t.Errorf("%v: got %+v, %v", cause, answer, err)
		}
		if len(f.signer.requests) != 0 || len(f.clicks.noted) != 0 {
			t.Errorf("%v: signed %v, failed %v", cause, f.signer.requests, f.clicks.noted)
		}
	}
}

func TestClickThatFailsAfterItWasAdmitted(t *testing.T) {
	t.Parallel()
	noted := errors.New("redis is gone")
	tests := []struct {
		name    string
		ref     ObjectRef
		err     error // of the signer
		noteErr error
		want    Outcome
	}{
		{"no credentials", ObjectRef{}, fmt.Errorf("storage main: %w", signer.ErrCredentials), nil, OutcomeUnavailable},
		{"under a second left", ObjectRef{}, fmt.Errorf("storage main: %w", signer.ErrLifetime), nil, OutcomeExpired},
		{"cannot be signed", ObjectRef{}, signer.ErrRequest, nil, OutcomeUnavailable},
		{"a storage that is not configured any more", ObjectRef{"gone", "reports", "a"}, nil, nil, OutcomeUnavailable},
		{"and cannot be noted", ObjectRef{}, signer.ErrCredentials, noted, OutcomeUnavailable},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, nil)
			f.clicks.admission = admitted(Permission{Ref: tt.ref})
			f.clicks.noteErr, f.signer.err = tt.noteErr, tt.err
			answer, err := f.service.Click(t.Context(), Attempt{Method: "GET"})
			if answer != (Answer{Outcome: tt.want}) {
				t.Errorf("got %+v, want %s", answer, tt.want)
			}
			if err == nil || tt.err != nil && !errors.Is(err, tt.err) {
				t.Errorf("the cause is %v", err)
			}
			f.service.Wait()
			if len(f.clicks.noted) != 1 || f.clicks.noted[0] != "failed "+string(tt.want) {
				t.Errorf("noted %v, want %s once", f.clicks.noted, tt.want)
			}
			if err != nil && strings.Contains(err.Error(), "X-Amz") {
				t.Errorf("the cause holds a URL: %v", err)
			}
		})
	}
}

// A click that has waited for Redis has that much less of its link left.
func TestClickThatWaits(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		wait   time.Duration
		within time.Duration // what the signer is told; 0: it is not asked
		want   Outcome
	}{
		{"no wait", 0, 3 * time.Second, OutcomeRedirected},
		{"a wait", 2 * time.Second, time.Second, OutcomeRedirected},
		{"a wait until the link's end", 3 * time.Second, 0, OutcomeExpired},
		{"a wait beyond it", 5 * time.Second, 0, OutcomeExpired},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, nil)
			f.clicks.admission = admitted(Permission{Remaining: 3 * time.Second})
			f.clicks.wait = func() { f.now = f.now.Add(tt.wait) }
			answer, err := f.service.Click(t.Context(), Attempt{Method: "GET"})
			if answer.Outcome != tt.want || (err == nil) != (tt.want == OutcomeRedirected) {
				t.Errorf("got %s, %v; want %s", answer.Outcome, err, tt.want)
			}
			f.service.Wait()
			if tt.within == 0 && len(f.signer.requests) != 0 || tt.within != 0 && f.signer.requests[0].Within != tt.within {
				t.Errorf("signed %+v", f.signer.requests)
			}
		})
	}
}

// TestResumeOfWhatEndedMeanwhile notes a download by a grant after the link was revoked:
// there is no redirect.
func TestResumeOfWhatEndedMeanwhile(t *testing.T) {
	t.Parallel()
	f, a := confirmed(t)
	secrets := &f.clicks.admission.Permission.Secrets
	grant := secrets.grant(a.ID, spentAt().Add(time.Minute))
	f.clicks.noteErr = ErrEnded
	asked := 0
	f.clicks.wait = func() {
		if asked++; asked == 2 {
			f.clicks.admission = Admission{Outcome: OutcomeRevoked}
		}
	}
	answer, err := f.service.Click(t.Context(), Attempt{ID: a.ID, Method: http.MethodGet, Client: a.Client, Grant: grant})
	if answer.Outcome != OutcomeRevoked || answer.Location != "" || err == nil {
		t.Errorf("got %+v, %v", answer, err)
	}
}
