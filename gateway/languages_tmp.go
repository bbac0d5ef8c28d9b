package gateway

import "strings"

func Languages() []string {
	return []string{"en", "de", "fr", "es", "pt", "it", "nl", "pl", "ja", "zh", "ar"}
}

func (l *Link) SenderName() string {
	if l.Sender != "" {
		return l.Sender
	}
	return strings.TrimPrefix(l.CreatedBy, "oidc:")
}
