package convert

import (
	"keyhole/gateway"
	"keyhole/gateway/api"
)

// Operator returns an operator and the limits of the operator's links as the API shows
// them. version is that of the service. Lives have the form of expires_in, so that a client
// can send them back.
func Operator(actor *gateway.Actor, limits *gateway.Limits, version string) api.Operator {
	w := api.Operator{
		Name: actor.Name, DisplayName: actor.DisplayName, AdmittedBy: api.AdmittedByKey, Grant: actor.Grant,
		Can: make([]string, len(actor.Can)), Objects: make([]string, len(actor.Objects)),
		Caps: api.Caps{
			Sensitive: gateway.FormatLife(limits.Caps.Sensitive), NotStated: gateway.FormatLife(limits.Caps.NotStated),
			NotSensitive: gateway.FormatLife(limits.Caps.NotSensitive),
		},
		Presets: make([]api.Preset, len(limits.Presets)), Version: version,
	}
	if actor.Token {
		w.AdmittedBy = api.AdmittedByToken
	}
	if actor.MaxExpiry > 0 { // 0: only the policy limits links
		w.MaxExpiry = new(gateway.FormatLife(actor.MaxExpiry))
	}
	for i, can := range actor.Can {
		w.Can[i] = string(can)
	}
	for i, pattern := range actor.Objects {
		w.Objects[i] = string(pattern)
	}
	for i, p := range limits.Presets {
		w.Presets[i] = api.Preset{Name: p.Name, ExpiresIn: gateway.FormatLife(p.Life)}
	}
	return w
}

// Revocation returns the result of a bulk revocation as the API shows it.
func Revocation(result *gateway.BulkResult) api.Revocation {
	return api.Revocation{
		Matched: result.Matched, UsedUp: result.UsedUp, Revoked: result.Revoked, Unreadable: result.Unreadable,
		Done: result.Done, Next: result.Next,
	}
}
