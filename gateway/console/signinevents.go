package console

import (
	"errors"

	"github.com/labstack/echo/v4"

	"keyhole/gateway"
	"keyhole/gateway/admission"
)

// recordSignIn records the beginning of a session in the audit. A session without a record
// ends at once: nobody may work in the console unseen.
func (c *Console) recordSignIn(ctx echo.Context, session *admission.Session) error {
	at := ctx.Request().Context()
	if err := c.o.Service.RecordSignIn(at, session.Actor, gateway.EventSignedIn); err != nil {
		return errors.Join(err, c.o.Sessions.End(at, session.ID))
	}
	return nil
}

// recordSignOut records the end of a session by its operator; nil: there was none. The
// session has ended already, so the sign-out succeeds without the record too.
func (c *Console) recordSignOut(ctx echo.Context, session *admission.Session) {
	if session == nil {
		return
	}
	if err := c.o.Service.RecordSignIn(ctx.Request().Context(), session.Actor, gateway.EventSignedOut); err != nil {
		c.o.Logger.Warn("sign-out not recorded in the audit", "actor", session.Actor.Name, "error", err)
	}
}

// renews reports whether a sign-in at the provider goes on with the session before; nil:
// there was none. Such a sign-in happens without the operator, each time that an ID token
// expires, so the audit does not record it.
func renews(before, session *admission.Session) bool {
	return before != nil && before.Actor.Name == session.Actor.Name && before.StartedAt.Equal(session.StartedAt)
}
