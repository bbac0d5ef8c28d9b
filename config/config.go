package config

import "time"

// The comments of the fields of Config, here, in public.go and in redis.go, are the manual:
// TestReferenceDocument writes them into deploy/docs/run/configuration.md and compares both.
// Each comment gives the meaning of the key, its unit and limits, what it excludes, and last
// its default.

// Config is the whole configuration of the service. Load and Prepare check it, fill in the defaults and bring
// the URLs into normal form.
type Config struct {
	// The listener for recipients. It serves links and nothing else.
	Public Public `yaml:"public"`
	// The listener for operators and Prometheus. It serves the API, the console and, unless metrics.listen
	// is set, metrics and health.
	Operator Operator `yaml:"operator"`
	// The operators' pages in the browser, at /console of the operators' listener.
	Console Console `yaml:"console"`
	// The listener for metrics and health.
	Metrics Metrics `yaml:"metrics"`
	// The Redis (7.0 or newer) or Valkey (7.2 or newer) that holds the links. A link is valid while its
	// record exists there.
	Redis Redis `yaml:"redis"`
	// The object stores, and the buckets that links may point into. At least one is required, and each has
	// its own name. A variable can only change a storage that is in the file.
	Storage []Storage `yaml:"storage"`
	// The answer to a click: a presigned URL that is valid for seconds.
	Redirect Redirect `yaml:"redirect"`
	// How long links live, and which objects are sensitive.
	Policy Policy `yaml:"policy"`
	// What the service records about operators' actions and recipients' clicks.
	Audit Audit `yaml:"audit"`
	// The recipients' pages: who sends the files, and how the pages look. pages.md explains this section.
	Pages Pages `yaml:"pages"`
	// The log of the service. Delivered clicks are logged at level debug, because the audit feed has them.
	// Refused and failed clicks and operators' requests are logged at level info.
	Log Log `yaml:"log"`
}

// Operator is the listener for operators, and the keys and tokens that it accepts.
type Operator struct {
	// The address to listen on, host:port. Never expose it to recipients. Default: 127.0.0.1:8081.
	Listen string `yaml:"listen"`
	// The address of that listener for operators, if it differs from listen: http or https and a host,
	// without path. The client commands read the same variable KEYHOLE_OPERATOR_URL to find the service.
	// Default: empty, which means the address in listen.
	URL string `yaml:"url"`
	// More names under which browsers reach the console, besides IP addresses, localhost and the host of url:
	// each a host, or host:port for a port that a proxy maps. The console refuses every other name, so that a
	// foreign page cannot reach the console under a name of its own (DNS rebinding). Default: none.
	Hosts []string `yaml:"hosts"`
	// Addresses or networks (CIDR) of the proxies in front of this listener. The service takes the address of
	// an operator from their X-Forwarded-For header, and the name of a request from their X-Request-Id header.
	// The same networks are refused as in public.trusted_proxies. Default: none.
	TrustedProxies []string `yaml:"trusted_proxies"`
	// TLS of the listener for operators.
	TLS TLS `yaml:"tls"`
	// The keys that may use the API and the console.
	Keys []OperatorKey `yaml:"keys"`
	// The largest number of requests that each key, or each holder of a token, may send to one gateway in a
	// minute, 1 to 1000000; 0 means no limit. Further requests get 429. Default: 120000.
	RequestsPerMinute int `yaml:"requests_per_minute"`
	// An OpenID Connect provider whose tokens may use the API too.
	OIDC OIDC `yaml:"oidc"`
}

// OperatorKey accepts one key. No file contains the key itself.
type OperatorKey struct {
	// The owner of the key, as links and audit show it: 1 to 63 letters, digits, dots, underscores or
	// hyphens. Two keys may have the same name, so that one can replace the other without a gap. Required.
	Name string `yaml:"name" env:"-"`
	// The name of the owner for recipients, who see it as the sender of links: 1 to 80 characters, without
	// control characters and characters that change the reading direction. A link keeps the name that its
	// key has at the issue. Default: empty, which means the value of name.
	DisplayName string `yaml:"display_name"`
	// SHA-256 of the key, 64 hexadecimal digits. `keyhole key new` prints a key and its entry for this
	// file. Required.
	SHA256 string `yaml:"sha256"`
	// The actions that the key may perform: any of issue, read, revoke, browse. Required.
	Can []string `yaml:"can"`
	// The objects that the key may act on, as patterns [storage:]bucket/key. A * matches any characters,
	// including /; every other character stands for itself. Write team/a/* and not team/a*, which also
	// matches team/ab. Default: *.
	Objects []string `yaml:"objects"`
	// The longest life of a link that this key issues, at least 1s; 0s means no limit besides
	// policy.max_expiry and policy.caps. A value above these limits has no effect, and the service warns.
	// Default: 0s.
	MaxExpiry time.Duration `yaml:"max_expiry"`
}

// OIDC accepts bearer tokens that an OpenID Connect provider has signed.
type OIDC struct {
	// The URL of the provider, exactly as in the claim iss of its tokens: https, or http on loopback. A slash
	// at the end makes no difference. Default: empty, which means no tokens.
	Issuer string `yaml:"issuer"`
	// The provider's name for this service. The claim aud of a token must contain this name. Required if
	// issuer is set. Default: empty.
	Audience string `yaml:"audience"`
	// The clients whose tokens the service accepts. The client of a token is the claim azp, else client_id,
	// else the only audience. Default: none, which means any client to which the provider gives tokens for
	// that audience.
	AuthorizedParties []string `yaml:"authorized_parties"`
	// The provider's name for the console as a client. With it, operators can sign in to the console at the
	// provider. Register the callback URL there: operator.url followed by /console/oidc/callback. The claims
	// come from the ID token, whose aud is this name. Default: empty, which means no sign-in at the provider.
	ClientID string `yaml:"client_id"`
	// File with the secret of that client. Required if client_id is set. Default: empty.
	ClientSecretFile string `yaml:"client_secret_file"`
	// The secret of the client itself, instead of client_secret_file.
	ClientSecret Secret `yaml:"-" env:"client_secret"`
	// The claim with the operator's name. Links and audit show it after "oidc:". Here and in grants, the
	// claim email counts only if email_verified is true. Default: sub.
	NameClaim string `yaml:"name_claim"`
	// PEM file with the certificate authorities to trust for the provider. Default: empty, which means
	// those of the system.
	CAFile string `yaml:"ca_file"`
	// The rights of tokens, by their claims. Only the first grant that matches a token counts. A token that
	// matches no grant has no rights. At least one is required if issuer is set.
	Grants []OIDCGrant `yaml:"grants"`
}

// OIDCGrant is the permission that one value of a claim gives.
type OIDCGrant struct {
	// The name of this grant in variables: 1 to 63 letters, digits, dots, underscores or hyphens.
	// Required.
	Name string `yaml:"name" env:"-"`
	// The same as display_name of a key, for everyone with this grant. Default: empty, which means the name
	// in the token.
	DisplayName string `yaml:"display_name"`
	// The claim, such as groups. Use dots for a claim inside an object, such as realm_access.roles. Put a
	// name that contains dots into double quotes: resource_access."my.app".roles. The claims scope and scp
	// are texts with spaces; each of their words counts. Required.
	Claim string `yaml:"claim"`
	// The text that the claim must be equal to, or contain if it is a list. Required.
	Value string `yaml:"value"`
	// The same as can of a key. Required.
	Can []string `yaml:"can"`
	// The same as objects of a key. Default: *.
	Objects []string `yaml:"objects"`
	// The same as max_expiry of a key. Default: 0s.
	MaxExpiry time.Duration `yaml:"max_expiry"`
}

// Console is the operators' pages in the browser.
type Console struct {
	// Whether the operators' listener serves the console. Default: true.
	Enabled bool `yaml:"enabled"`
	// The time without activity after which a session ends, 1s to 24h, and at most max. Automatic refreshes
	// of a page are no activity. Default: 30m.
	Idle time.Duration `yaml:"idle"`
	// The longest time from a sign-in to the end of its session, 1s to 720h. Default: 12h.
	Max time.Duration `yaml:"max"`
}

// Metrics is the listener for /metrics, /livez and /readyz.
type Metrics struct {
	// A separate address for /metrics, /livez and /readyz, host:port. Default: empty, which means on the
	// operators' listener.
	Listen string `yaml:"listen"`
}

// Storage is one object store, and its buckets that links may point into.
type Storage struct {
	// The name of the storage for operators and in metrics: 1 to 32 lower-case letters, digits or hyphens,
	// not beginning with a hyphen. Each storage has its own name. Required.
	Name string `yaml:"name" env:"-"`
	// The address of the store for the service: http or https and a host, without path. Default: empty,
	// which means AWS.
	Endpoint string `yaml:"endpoint"`
	// The address of the store for recipients, and the host of every presigned URL: http or https, without
	// path. Objects with the origin of public.url are a warning, because browsers then count them to the
	// pages. Default: empty, which means the value of endpoint.
	PublicEndpoint string `yaml:"public_endpoint"`
	// The region in the signature. Required if endpoint is empty. Default: empty, which means us-east-1 if
	// endpoint is set.
	Region string `yaml:"region"`
	// Whether the bucket is in the path (https://host/bucket/key) instead of the host name
	// (https://bucket.host/key). It must be true if recipients reach the store at an IP address. Default:
	// false.
	PathStyle bool `yaml:"path_style"`
	// The buckets that links may point into, at least one. Access point aliases (-s3alias) are buckets
	// too. ARNs, directory buckets (--x-s3), Object Lambda (--ol-s3), table buckets (--table-s3) and
	// multi-region access points (.mrap) are refused. Required.
	Buckets []string `yaml:"buckets"`
	// The access key ID. It requires the secret. Default: empty, which means the AWS SDK's default chain:
	// environment, profile, web identity, instance.
	AccessKeyID string `yaml:"access_key_id"`
	// File with the secret access key. It requires access_key_id. Default: empty.
	SecretAccessKeyFile string `yaml:"secret_access_key_file"`
	// The secret access key itself, instead of secret_access_key_file.
	SecretAccessKey Secret `yaml:"-" env:"secret_access_key"`
	// PEM file with the certificate authorities to trust for endpoint. Default: empty, which means those
	// of the system.
	CAFile string `yaml:"ca_file"`
	// Whether requests and presigned URLs state that the requester pays. Default: false.
	RequesterPays bool `yaml:"requester_pays"`
	// The time that the service waits for an answer of the store, 1ms to 60s. Default: 3s.
	Timeout time.Duration `yaml:"timeout"`
}

// Redirect is the answer to a click.
type Redirect struct {
	// The lifetime of a presigned URL, 5s to 300s, in whole seconds. After a revocation the service refuses
	// clicks, but a URL that a recipient has already received stays valid for this time. Default: 30s.
	Lifetime time.Duration `yaml:"lifetime"`
	// The lifetime for inline audio, video and PDF, 5s to 1h, in whole seconds. It can be longer, because
	// browsers fetch these files in parts from one presigned URL. Default: 30s.
	MediaLifetime time.Duration `yaml:"media_lifetime"`
	// The time in which a recipient can resume a download through a limited link without another click, 1s to
	// 24h. Within this time, sending the same confirmation page twice uses up one click. Default: 10m.
	ResumeWindow time.Duration `yaml:"resume_window"`
	// The time for which the service caches the check of a pinned object, 0s to 60s; with 0s it checks at
	// every click. The service notices a replaced or deleted object at the latest after this time. Default:
	// 5s.
	ObjectCheck time.Duration `yaml:"object_check"`
}

// Policy decides how long links live and which objects are sensitive.
type Policy struct {
	// The longest life of any link, 1m to 8760h. No link is permanent. Default: 168h.
	MaxExpiry time.Duration `yaml:"max_expiry"`
	// The longest life of a link by the sensitivity of its object, at most max_expiry.
	Caps Caps `yaml:"caps"`
	// The time for which pages and audit show a link after its end, 1h to 17520h. After this time the link is
	// unknown (404). Default: 720h.
	Retention time.Duration `yaml:"retention"`
	// Lifetimes with names. Each is at least 1s, and at most max_expiry and the longest cap that can apply
	// to it. A preset that is not set is shortened to these limits.
	Presets Presets `yaml:"presets"`
	// The number of characters that the passphrase of a link needs at least, 1 to 64. Links that exist keep
	// their passphrases. Default: 8.
	PassphraseMin int `yaml:"passphrase_min"`
	// Patterns [storage:]bucket/key, in which * matches any characters, including /. An object that matches
	// is always sensitive, even if the request says otherwise. [] means none. Default: */invoices/*.
	SensitiveObjects []string `yaml:"sensitive_objects"`
}

// Caps are the longest lives of links by the sensitivity of their objects.
type Caps struct {
	// For an object that the request or sensitive_objects marks as sensitive, 1s to max_expiry. A cap that
	// is not set is shortened to max_expiry. A cap above its default is a warning, because a leaked link
	// can be used until it expires. Default: 24h.
	Sensitive time.Duration `yaml:"sensitive"`
	// For an object whose sensitivity was not stated; limits as for sensitive. Default: 24h.
	NotStated time.Duration `yaml:"not_stated"`
	// For an object that the request marks as not sensitive; limits as for sensitive. Default: 168h.
	NotSensitive time.Duration `yaml:"not_sensitive"`
}

// Presets are the lifetimes with names.
type Presets struct {
	// To hand over a file now. It is the default for a sensitive object. Default: 15m.
	Handoff time.Duration `yaml:"handoff"`
	// To examine a problem together. It is the default if the sensitivity was not stated. Default: 1h.
	Troubleshooting time.Duration `yaml:"troubleshooting"`
	// For a working day. It is the default for an object that is not sensitive. Default: 24h.
	Business time.Duration `yaml:"business"`
	// For a week, only for objects that the request marks as not sensitive. Default: 168h.
	Extended time.Duration `yaml:"extended"`
}

// Audit decides what is recorded.
type Audit struct {
	// How the service records the address of a recipient: full, truncated (to /24, IPv6 /48), hashed or off.
	// The key of the hash changes daily, so two clicks from one address can be matched only within one day.
	// Default: full.
	ClientAddress string `yaml:"client_address"`
	// The number of downloads that the audit feed keeps, at least 1000; new downloads replace the oldest. The
	// feed also keeps a quarter as many refusals, pages and failures. Operators' events are kept for
	// policy.retention, independently of this number. Default: 1000000.
	MaxEntries int `yaml:"max_entries"`
}

// Pages is the appearance of the recipients' pages.
type Pages struct {
	// The name of the organization whose files the links deliver: at most 80 characters, without control,
	// direction-changing or invisible characters. Without it recipients do not learn whose files these
	// are, and the service warns. Default: empty.
	Organization string `yaml:"organization"`
	// Who the pages name as the sender: none, organization, or operator (the operator who issued the link).
	// Default: organization.
	Sender string `yaml:"sender"`
	// File with the logo: a PNG of at most 2048x2048 pixels, or an SVG that consists only of allowed elements
	// and attributes and has no DOCTYPE; at most 32 KiB. Default: empty, which means no logo.
	LogoFile string `yaml:"logo_file"`
	// The colour of buttons, as #rrggbb. The text on it is black or white, whichever has the better
	// contrast. A colour with a contrast below 3:1 against the page is refused, in light and in dark mode.
	// Default: empty, which means the built-in colour.
	AccentColor string `yaml:"accent_color"`
	// Where recipients ask for help: a mailto: URL with one address, a tel: URL, or an https: URL without
	// fragment. Pages about ended links add the reference of the link. Default: empty, which means the
	// person who sent the link.
	Contact string `yaml:"contact"`
	// Links in the footer, such as imprint and privacy, at most 8.
	Links []PageLink `yaml:"links"`
	// The languages of the pages: any of en, de, fr, es, pt, it, nl, pl, ja, zh, ar. The first one is the
	// fallback. Default: none, which means all of them, in that order.
	Languages []string `yaml:"languages"`
}

// PageLink is a link in the footer of the recipients' pages.
type PageLink struct {
	// The text of the link: 1 to 40 characters, as for organization. Two links may have the same name, for
	// two languages. Required.
	Name string `yaml:"name" env:"-"`
	// An https: URL, or a mailto: URL with one address. Required.
	URL string `yaml:"url"`
	// The language of the pages that show this link. If languages does not offer it, no page shows the link,
	// and the service warns. Default: empty, which means the pages in all languages.
	Language string `yaml:"language"`
}

// Log is the log of the service.
type Log struct {
	// The lowest level that is written: debug, info, warn or error. Default: info.
	Level string `yaml:"level"`
	// json or text. Default: json.
	Format string `yaml:"format"`
}
