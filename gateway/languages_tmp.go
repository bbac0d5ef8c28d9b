package gateway

import "strings"

func (l *Link) SenderName() string {
	if l.Sender != "" {
		return l.Sender
	}
	return strings.TrimPrefix(l.CreatedBy, "oidc:")
}
