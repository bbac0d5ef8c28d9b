// Package gateway is the domain of Keyhole: links to objects in private buckets that
// live for a limited time, and the clicks on them. It knows no web framework, no Redis
// and no AWS. Its interfaces say what it needs of them.
//
// # The life of a link
//
// An operator asks for a link to one object ([Service.Issue]). Keyhole checks the
// fields of the request. The operator's scope and the [Policy] decide whether the link
// is allowed and how long it lives. The storage proves that the object exists and can
// be read. Then Keyhole draws a token. The hash of the token is the [ID], which names
// the link everywhere. The token itself exists only in the URL that the operator gets.
//
// The store writes two records in one script. The permission has the TTL of the link;
// without a permission there is no redirect. The history lives longer, so that pages
// and operators can be told what happened. The link expires when Redis removes the
// permission, by the clock of Redis. A revocation ([Service.Revoke]) deletes the
// permission and marks the history. A link that has ended never becomes active again,
// and its first end stays its state.
//
// # The life of a click
//
// A recipient opens the short URL. Keyhole checks the bytes of the path first: a path
// that cannot be a token costs no call to Redis. [Service.Click] takes the hash of the
// token. The store decides the click in one atomic script, which counts the click,
// writes its event and returns what to sign, or returns why the click is refused. Then
// the presigner of the storage signs a URL that lives for seconds. It never lives
// longer than the link or than the credential that signs it, and it is valid only for
// the method that the recipient follows with. The answer redirects to that URL. Every
// unexpected condition is an [OutcomeUnavailable]: in doubt Keyhole refuses the click.
//
// A link with a limited number of clicks, a passphrase or a confirmation shows a page
// first, which counts no click. Keyhole checks the form of the page step by step. Last
// of all the store spends the click, in a script that decides everything again. It
// spends one click per nonce, and so per page. The answer carries a grant, with which
// the recipient can resume the download for a while without another click. Nonces and
// grants are made with a key in the permission, so they end with it.
package gateway
