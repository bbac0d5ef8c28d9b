// Package gateway holds the domain rules of Keyhole: it issues links that give access to
// one object in a private bucket for a limited time, and decides the clicks on them. It
// knows no web framework, no Redis and no AWS; it declares the interfaces that the
// adapters implement. Read [Service] first, then [Link], [Policy] and [ClickStore].
//
// # The life of a link
//
// An operator asks for a link to one object ([Service.Issue]). Keyhole checks the fields
// of the request. The operator's scope and the [Policy] decide whether the link is
// allowed and how long it lives. Keyhole reads the object from the storage, which proves
// that the object exists and is readable. Then Keyhole draws a token. The hash of the
// token is the [ID], which names the link everywhere. The token itself exists only in the
// URL that the operator gets.
//
// The store writes two records in one script. The permission has the TTL of the link;
// without a permission there is no redirect. The history lives longer, so that
// recipients' pages and operators learn how the link ended. The link expires when Redis
// removes the permission, by the clock of Redis. A revocation ([Service.Revoke]) deletes
// the permission and marks the history. A link that has ended never becomes active again,
// and its first end stays its state.
//
// # The life of a click
//
// A recipient opens the short URL. Keyhole checks the bytes of the path first: a path
// that cannot be a token costs no call to Redis. [Service.Click] takes the hash of the
// token. The store decides the click in one atomic script. The script either counts the
// click, writes its event and returns the [Permission], or returns the outcome that
// refuses the click. Then the presigner of the storage signs a URL that lives for
// seconds. The URL never outlives the link or the credential that signed it. It is valid
// for one HTTP method: the method with which the recipient follows the redirect. The
// answer redirects to that URL. After an unexpected error the outcome is
// [OutcomeUnavailable]: in doubt Keyhole refuses the click.
//
// A link with a limited number of clicks, a passphrase or a confirmation first shows a
// page. Viewing the page counts no click. When the recipient sends the form of the page,
// Keyhole checks the link, the passphrase and the object. Then the store decides the link
// again and spends the click, in one script. Each page has a nonce, and the script spends
// one click per nonce. The answer carries a grant. With the grant, the recipient can
// resume the download for [Options.ResumeWindow] without another click. A key in the
// permission authenticates nonces and grants, so they become invalid when the permission
// ends.
package gateway
