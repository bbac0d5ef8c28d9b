// Package gateway is the domain of Keyhole: links to objects in private buckets
// that live for a limited time, and the clicks on them. It knows no web
// framework, no Redis and no AWS; what it needs of them stands in its interfaces.
//
// # The life of a link
//
// An operator asks for a link to one object ([Service.Issue]). The request's
// fields are checked, the operator's scope and the [Policy] decide whether and
// for how long, and the storage proves that the object exists and can be read.
// Then a token is drawn. Its hash, the [ID], names the link everywhere from here
// on; the token itself exists only in the URL that the operator is handed.
//
// The store writes two records in one script. The permission carries the
// link's TTL and is the permission: no permission, no redirect, whatever else is
// known. The history lives longer, so that pages and operators can be told what
// happened. Expiry removes the permission by itself, by Redis' clock; revocation
// ([Service.Revoke]) deletes it and marks the history. Nothing that has ended
// begins again, and its first end stays its state.
//
// # The life of a click
//
// A recipient opens the short URL. The path's bytes are judged before anything
// is asked: what cannot be a token costs nothing. Its hash goes to
// [Service.Click], which lets the store judge the click in one atomic script:
// that counts it, writes its event and returns what to sign, or says why not.
// The storage's presigner then signs a URL that lives for seconds, never longer
// than the link or the credential that signs it, for exactly the method that the
// recipient follows with.
// The answer is a redirect to it. Whatever is unexpected on the way is an
// [OutcomeUnavailable]: doubt is a refusal, never a redirect.
//
// A link with a limited number of clicks, a passphrase or a confirmation is shown
// as a page first, which counts nothing. What its form sends is judged step by
// step, and last of all the store spends the click, in a script that judges
// everything again: once for each nonce, and so for each page. The answer carries
// a grant, by which the recipient goes on without another click for a while. Nonces
// and grants are made under a key in the permission, and end with it.
package gateway
