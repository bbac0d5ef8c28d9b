package httpapi

import (
	"github.com/labstack/echo/v4"

	"keyhole/gateway/request"
)

// nameRequest gives each request of an operator a name, and sends it with the answer. The
// log has the name too, so that an operator who reports an error can be found there.
func (a *API) nameRequest(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		name := request.ID(c.Request(), a.o.OperatorProxies)
		c.Set(contextName, name)
		c.Response().Header()[request.IDHeader] = []string{name}
		return next(c)
	}
}

// requestNameOf returns the name of a request, "" for a listener that names none.
func requestNameOf(c echo.Context) string {
	name, _ := c.Get(contextName).(string)
	return name
}
