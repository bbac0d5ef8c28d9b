package console

import "keyhole/gateway"

// firstPage returns where an operator goes after the sign-in: the target, but the links
// instead of the objects if the operator may not browse.
func firstPage(actor *gateway.Actor, target string) string {
	if target == base+"/objects" && !may(actor, gateway.ActionBrowse) && may(actor, gateway.ActionRead) {
		return base + "/links"
	}
	return target
}
