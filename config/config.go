// Package config is what `keyhole serve` can be told, and how it is read: a
// YAML file, over it KEYHOLE_ environment variables, over those the caller's
// overrides. Reading is strict, and all problems are found at once, because an
// operator who corrects a file line by line restarts a service once per line.
//
// The comments of the fields below are the manual: TestReferenceDocument
// turns them into deploy/docs/run/configuration.md, and compares the two. Each says what the
// key means, its unit, what excludes what, and ends with its default.
package config

import "time"

// Config is the whole configuration of the service. Load and Prepare leave it
// in its final form: checked, defaults filled in, URLs in normal form.
type Config struct {
	// What recipients reach: the links and nothing else.
	Public Public `yaml:"public"`
	// What operators and Prometheus reach: the API, the console and, unless they are moved away, metrics and health.
	Operator Operator `yaml:"operator"`
	// Where metrics and health are served.
	Metrics Metrics `yaml:"metrics"`
	// The Redis (7.0 or newer) or Valkey (7.2 or newer) that holds the links. A link is valid as long as its record exists there.
	Redis Redis `yaml:"redis"`
	// The object stores and the buckets that links may point into. At least one; each has a name of its own. A storage must be in the file before a variable can change it.
	Storage []Storage `yaml:"storage"`
	// What a click is answered with: a presigned URL that lives for seconds.
	Redirect Redirect `yaml:"redirect"`
	// How long links live, and which objects are sensitive.
	Policy Policy `yaml:"policy"`
	// What is recorded of operators' actions and recipients' clicks.
	Audit Audit `yaml:"audit"`
	// The service's own log. Delivered clicks are logged at debug, because the audit has them; refused and failed ones, and operators' requests, at info.
	Log Log `yaml:"log"`
}

// Public is the listener for recipients.
type Public struct {
	// The address to listen on, host:port. No host means every interface; port 0 takes a free one. Must differ from the other listeners. Default: :8080.
	Listen string `yaml:"listen"`
	// What links begin with: http or https and a host, with no path, query or user. Plain http to anything but loopback is a warning, because whoever reads the wire can use the link. Required.
	URL string `yaml:"url"`
	// Addresses or networks (CIDR) of the proxies whose X-Forwarded-For is believed. A network wider than /8 (IPv6: /7) is refused, and so are networks that together cover more than a /8 (IPv6: a /16) outside private networks, because they let recipients choose their own address. Default: none.
	TrustedProxies []string `yaml:"trusted_proxies"`
	// TLS of the recipients' listener.
	TLS TLS `yaml:"tls"`
}

// TLS is the certificate of a listener. Both files are set, or none.
type TLS struct {
	// PEM file with the certificate and its intermediates. Needs key_file; without both the listener speaks plain HTTP, for a proxy that ends TLS. Default: empty.
	CertFile string `yaml:"cert_file"`
	// PEM file with the private key of cert_file. Default: empty.
	KeyFile string `yaml:"key_file"`
}

// Operator is the listener for operators and the keys that it admits.
type Operator struct {
	// The address to listen on, host:port. Never expose it to recipients. Default: 127.0.0.1:8081.
	Listen string `yaml:"listen"`
	// How operators reach that listener, if not by its own address: http or https and a host, with no path. KEYHOLE_OPERATOR_URL is also where the client commands find the service: one meaning, one variable. Default: empty, which means from listen.
	URL string `yaml:"url"`
	// TLS of the operators' listener.
	TLS TLS `yaml:"tls"`
	// Who may use the API and the console.
	Keys []OperatorKey `yaml:"keys"`
	// How many requests each key, or holder of a token, may make a minute, at each gateway, 1 to 1000000; 0 sets no limit. More are answered 429. Default: 120000.
	RequestsPerMinute int `yaml:"requests_per_minute"`
	// Whose tokens admit operators too, from an OpenID Connect provider.
	OIDC OIDC `yaml:"oidc"`
}

// OperatorKey admits the holder of one key. The key itself is in no file here.
type OperatorKey struct {
	// Who the key belongs to, as links and audit show it: 1 to 63 letters, digits, dots, underscores or hyphens. Two keys may share a name, so that a key can be replaced without a gap. Required.
	Name string `yaml:"name" env:"-"`
	// SHA-256 of the key, 64 hexadecimal digits. `keyhole key new` prints key and stanza. Required.
	SHA256 string `yaml:"sha256"`
	// What the key may do: any of issue, read, revoke, browse. Required.
	Can []string `yaml:"can"`
	// The objects it may do it to, as patterns [storage:]bucket/key, in which * matches any run of characters, / included, and all else is literal: write team/a/* rather than team/a*, which also matches team/ab. Default: *.
	Objects []string `yaml:"objects"`
	// The longest life of a link that this key may issue, from 1s; 0s sets no limit beyond policy.max_expiry and policy.caps. One above all of these has no effect, which is a warning. Default: 0s.
	MaxExpiry time.Duration `yaml:"max_expiry"`
}

// OIDC admits operators by bearer tokens that an OpenID Connect provider has signed.
type OIDC struct {
	// The provider, as its tokens name it (iss): https, or http on loopback. A slash at the end may be there or not. Default: empty, which means no tokens.
	Issuer string `yaml:"issuer"`
	// Whom the tokens must be for (aud): what the provider calls this service. Required where issuer is set. Default: empty.
	Audience string `yaml:"audience"`
	// The clients that a token may have been issued to (azp, or client_id, or else its only audience). Default: none, which means any client to which the provider gives tokens for that audience.
	AuthorizedParties []string `yaml:"authorized_parties"`
	// The claim that operators are called by in links and audit, with "oidc:" before it. The claim email counts only where email_verified is true, as for grants. Default: sub.
	NameClaim string `yaml:"name_claim"`
	// PEM file with the authorities to trust towards the provider. Default: empty, which means those of the system.
	CAFile string `yaml:"ca_file"`
	// What which claim allows. The first that a token has counts, alone; one that has none may do nothing. At least one where issuer is set.
	Grants []OIDCGrant `yaml:"grants"`
}

// OIDCGrant is what one value of a claim allows.
type OIDCGrant struct {
	// What this grant is called in variables: 1 to 63 letters, digits, dots, underscores or hyphens. Required.
	Name string `yaml:"name" env:"-"`
	// The claim, such as groups, or names joined by dots for one that stands in an object, such as realm_access.roles. A name that has dots itself stands in double quotes: resource_access."my.app".roles. Of the claims scope and scp, which are a text with spaces, each word counts. Required.
	Claim string `yaml:"claim"`
	// The text that the claim must be, or have among others. Required.
	Value string `yaml:"value"`
	// As of a key. Required.
	Can []string `yaml:"can"`
	// As of a key. Default: *.
	Objects []string `yaml:"objects"`
	// As of a key. Default: 0s.
	MaxExpiry time.Duration `yaml:"max_expiry"`
}

// Metrics says where /metrics, /livez and /readyz are served.
type Metrics struct {
	// An address of their own for /metrics, /livez and /readyz, host:port. Default: empty, which means on the operators' listener.
	Listen string `yaml:"listen"`
}

// Redis is how the store of the links is reached.
type Redis struct {
	// How Redis is run: single (one server), sentinel (a master found through Sentinels) or cluster. Default: single.
	Mode string `yaml:"mode"`
	// Servers as host:port: one server in mode single, the Sentinels in mode sentinel, any nodes in mode cluster. Default: 127.0.0.1:6379.
	Addresses []string `yaml:"addresses"`
	// The ACL user. Default: empty, which means the user named default.
	Username string `yaml:"username"`
	// File with the password of that user. Default: empty, which means no password.
	PasswordFile string `yaml:"password_file"`
	// The password itself, in place of password_file.
	Password Secret `yaml:"-" env:"password"`
	// The name under which the Sentinels know the master. Required in mode sentinel, refused in the others. Default: empty.
	MasterName string `yaml:"master_name"`
	// The ACL user at the Sentinels, in mode sentinel only. Default: empty.
	SentinelUsername string `yaml:"sentinel_username"`
	// File with the password at the Sentinels, in mode sentinel only. Default: empty.
	SentinelPasswordFile string `yaml:"sentinel_password_file"`
	// The password at the Sentinels itself, in place of sentinel_password_file.
	SentinelPassword Secret `yaml:"-" env:"sentinel_password"`
	// The numbered database. A cluster has only 0. Default: 0.
	Database int `yaml:"database"`
	// TLS towards Redis, and towards the Sentinels.
	TLS RedisTLS `yaml:"tls"`
	// What every key in Redis begins with: 1 to 64 letters, digits, colons, dots, underscores or hyphens. Several installations may share a Redis under different prefixes. Default: keyhole.
	Prefix string `yaml:"prefix"`
	// How long Redis may take to answer, 1ms to 60s; after it a click is answered 503. Default: 500ms.
	Timeout time.Duration `yaml:"timeout"`
	// How many replicas must have an issue, a change, a revocation or a limited spend before it is acknowledged, 0 to 16, at most the number of replicas there are. With 0, a failover may forget the last moments; with the number of replicas it forgets none. Default: 0.
	WaitReplicas int `yaml:"wait_replicas"`
}

// RedisTLS is TLS towards Redis.
type RedisTLS struct {
	// Whether to speak TLS. The other keys of this section need it. Default: false.
	Enabled bool `yaml:"enabled"`
	// PEM file with the authorities to trust. Default: empty, which means those of the system.
	CAFile string `yaml:"ca_file"`
	// PEM file with a client certificate. Needs key_file. Default: empty.
	CertFile string `yaml:"cert_file"`
	// PEM file with the private key of cert_file. Default: empty.
	KeyFile string `yaml:"key_file"`
	// The name to expect in the server's certificate. Default: empty, which means the host of the address.
	ServerName string `yaml:"server_name"`
}

// Storage is one object store and the buckets of it that links may point into.
type Storage struct {
	// What operators and metrics call it: 1 to 32 lower-case letters, digits or hyphens, not beginning with a hyphen. No two share a name. Required.
	Name string `yaml:"name" env:"-"`
	// Where the service reaches the store: http or https and a host, with no path. Default: empty, which means AWS.
	Endpoint string `yaml:"endpoint"`
	// Where recipients reach the store: the host of every presigned URL, http or https with no path. Default: empty, which means the value of endpoint.
	PublicEndpoint string `yaml:"public_endpoint"`
	// The region in the signature. Required where endpoint is empty. Default: empty, which means us-east-1 where endpoint is set.
	Region string `yaml:"region"`
	// Whether the bucket stands in the path (https://host/bucket/key) rather than in the host name (https://bucket.host/key). Must be true where recipients reach the store at an IP address. Default: false.
	PathStyle bool `yaml:"path_style"`
	// The buckets that links may point into, at least one. Access point aliases (-s3alias) are buckets too; ARNs, directory buckets (--x-s3), Object Lambda (--ol-s3), table buckets (--table-s3) and multi-region access points (.mrap) are refused. Required.
	Buckets []string `yaml:"buckets"`
	// The access key id. Needs the secret. Default: empty, which means the AWS SDK's default chain: environment, profile, web identity, instance.
	AccessKeyID string `yaml:"access_key_id"`
	// File with the secret access key. Needs access_key_id. Default: empty.
	SecretAccessKeyFile string `yaml:"secret_access_key_file"`
	// The secret access key itself, in place of secret_access_key_file.
	SecretAccessKey Secret `yaml:"-" env:"secret_access_key"`
	// PEM file with the authorities to trust towards endpoint. Default: empty, which means those of the system.
	CAFile string `yaml:"ca_file"`
	// Whether requests and presigned URLs say that the requester pays. Default: false.
	RequesterPays bool `yaml:"requester_pays"`
	// How long the store may take to answer, 1ms to 60s. Default: 3s.
	Timeout time.Duration `yaml:"timeout"`
}

// Redirect is what a click is answered with.
type Redirect struct {
	// How long a presigned URL lives, 5s to 300s, whole seconds. A revocation stops the next click; a URL that was given before lives this long. Default: 30s.
	Lifetime time.Duration `yaml:"lifetime"`
	// The same for inline audio, video and PDF, 5s to 1h, whole seconds: browsers read them piece by piece from the signed URL. Default: 30s.
	MediaLifetime time.Duration `yaml:"media_lifetime"`
	// How long a download of a limited link may go on through the link without another click, and a page that was sent twice spends one, 1s to 24h. Default: 10m.
	ResumeWindow time.Duration `yaml:"resume_window"`
	// How long the check of a pinned object is remembered, 0s to 60s; 0s asks at every click. An object that is replaced or deleted is noticed that much later at most. Default: 5s.
	ObjectCheck time.Duration `yaml:"object_check"`
}

// Policy is how long links live, and which objects are sensitive.
type Policy struct {
	// The longest life of any link, 1m to 8760h. Nothing is permanent. Default: 168h.
	MaxExpiry time.Duration `yaml:"max_expiry"`
	// The longest life of a link by the sensitivity of its object, within max_expiry.
	Caps Caps `yaml:"caps"`
	// How long after its end a link is still known to pages and audit, 1h to 17520h. After it the link is unknown (404). Default: 720h.
	Retention time.Duration `yaml:"retention"`
	// The named lifetimes. Each is at least 1s and at most max_expiry and the longest cap under which it can be used; one that is not stated is shortened to these.
	Presets Presets `yaml:"presets"`
	// Patterns [storage:]bucket/key, in which * matches any run of characters, / included. An object that matches is sensitive whatever the request says. [] means none. Default: */invoices/*.
	SensitiveObjects []string `yaml:"sensitive_objects"`
}

// Caps are the longest lives of links by the sensitivity of their objects.
type Caps struct {
	// For an object that is stated, or held by sensitive_objects, to be sensitive, 1s to max_expiry. One that is not stated is shortened to max_expiry. A cap above its default is a warning, because a link that leaks can be used until it ends. Default: 24h.
	Sensitive time.Duration `yaml:"sensitive"`
	// For an object whose sensitivity was not stated; as of sensitive. Default: 24h.
	NotStated time.Duration `yaml:"not_stated"`
	// For an object that is stated to be not sensitive; as of sensitive. Default: 168h.
	NotSensitive time.Duration `yaml:"not_sensitive"`
}

// Presets are the named lifetimes of links.
type Presets struct {
	// To hand a file over now; what a sensitive object gets by default. Default: 15m.
	Handoff time.Duration `yaml:"handoff"`
	// To look at a problem together; the default where nothing is said of sensitivity. Default: 1h.
	Troubleshooting time.Duration `yaml:"troubleshooting"`
	// For a day's work; what an object that is stated not to be sensitive gets by default. Default: 24h.
	Business time.Duration `yaml:"business"`
	// For a week; only for objects that are stated not to be sensitive. Default: 168h.
	Extended time.Duration `yaml:"extended"`
}

// Audit is what is recorded.
type Audit struct {
	// How a recipient's address is kept: full, truncated (to /24, IPv6 /48), hashed (under a key that changes daily, so that the clicks of one address on one day can be told to be one's) or off. Default: full.
	ClientAddress string `yaml:"client_address"`
	// How many downloads the feed keeps, at least 1000; the oldest make room. It keeps a quarter as many
	// refusals, pages and failures besides. Events of operators are kept for the retention whatever this
	// says. Default: 1000000.
	MaxEntries int `yaml:"max_entries"`
}

// Log is the service's own log.
type Log struct {
	// The least level that is written: debug, info, warn or error. Default: info.
	Level string `yaml:"level"`
	// json or text. Default: json.
	Format string `yaml:"format"`
}
