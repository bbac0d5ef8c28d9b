package config

import (
	"slices"
	"testing"
)

func TestOIDCRules(t *testing.T) {
	t.Parallel()
	good := OIDC{
		Issuer: "https://login.example.com/realms/main", Audience: "keyhole", NameClaim: "sub",
		Grants: []OIDCGrant{{
			Name: "sharers", Claim: "groups", Value: "sharers", Can: []string{"issue"},
			Objects: []string{"*"},
		}},
	}
	tests := map[string]struct {
		change func(*OIDC)
		want   []string
	}{
		"right":             {func(*OIDC) {}, nil},
		"http on loopback":  {func(o *OIDC) { o.Issuer = "http://127.0.0.1:8090" }, nil},
		"http on localhost": {func(o *OIDC) { o.Issuer = "http://localhost:8090/x" }, nil},
		"nothing":           {func(o *OIDC) { *o = OIDC{NameClaim: "sub"} }, nil},
		"http elsewhere":    {func(o *OIDC) { o.Issuer = "http://login.example.com" }, []string{"operator.oidc.issuer"}},
		"no scheme":         {func(o *OIDC) { o.Issuer = "login.example.com" }, []string{"operator.oidc.issuer"}},
		"another scheme":    {func(o *OIDC) { o.Issuer = "ftp://login.example.com" }, []string{"operator.oidc.issuer"}},
		"a query": {
			func(o *OIDC) { o.Issuer = "https://login.example.com?x=1" },
			[]string{"operator.oidc.issuer"},
		},
		"a password": {
			func(o *OIDC) { o.Issuer = "https://a:b@login.example.com" },
			[]string{"operator.oidc.issuer"},
		},
		"CRLF": {
			func(o *OIDC) { o.Issuer = "https://login.example.com/\r\nx" },
			[]string{"operator.oidc.issuer"},
		},
		"no issuer":          {func(o *OIDC) { o.Issuer = "" }, []string{"operator.oidc.issuer"}},
		"no audience":        {func(o *OIDC) { o.Audience = "" }, []string{"operator.oidc.audience"}},
		"no claim for names": {func(o *OIDC) { o.NameClaim = "" }, []string{"operator.oidc.name_claim"}},
		"no grants":          {func(o *OIDC) { o.Grants = nil }, []string{"operator.oidc.grants"}},
		"an empty grant": {
			func(o *OIDC) { o.Grants[0] = OIDCGrant{} },
			[]string{
				"operator.oidc.grants[0].can", "operator.oidc.grants[0].claim", "operator.oidc.grants[0].name",
				"operator.oidc.grants[0].objects", "operator.oidc.grants[0].value",
			},
		},
		"a claim in an object":   {func(o *OIDC) { o.Grants[0].Claim = `resource_access."my.app".roles` }, nil},
		"a quote without an end": {func(o *OIDC) { o.Grants[0].Claim = `a."b` }, []string{"operator.oidc.grants[0].claim"}},
		"a dot at the end":       {func(o *OIDC) { o.Grants[0].Claim = "a." }, []string{"operator.oidc.grants[0].claim"}},
		"clients":                {func(o *OIDC) { o.AuthorizedParties = []string{"cli", "web"} }, nil},
		"an empty client": {
			func(o *OIDC) { o.AuthorizedParties = []string{""} }, []string{"operator.oidc.authorized_parties[0]"},
		},
		"one client twice": {
			func(o *OIDC) { o.AuthorizedParties = []string{"a", "a"} }, []string{"operator.oidc.authorized_parties[1]"},
		},
		"clients without an issuer": {
			func(o *OIDC) { *o = OIDC{NameClaim: "sub", AuthorizedParties: []string{"a"}} }, []string{"operator.oidc.issuer"},
		},
		"a client": {func(o *OIDC) { o.ClientID, o.ClientSecret = "console", NewSecret("s") }, nil},
		"a client with a file": {
			func(o *OIDC) { o.ClientID, o.ClientSecretFile = "console", "/secrets/client" }, nil,
		},
		"a client without a secret": {
			func(o *OIDC) { o.ClientID = "console" }, []string{"operator.oidc.client_secret_file"},
		},
		"a secret without a client": {
			func(o *OIDC) { o.ClientSecret = NewSecret("s") }, []string{"operator.oidc.client_id"},
		},
		"a client with a line break": {
			func(o *OIDC) { o.ClientID, o.ClientSecret = "a\nb", NewSecret("s") }, []string{"operator.oidc.client_id"},
		},
		"a client without an issuer": {
			func(o *OIDC) { *o = OIDC{NameClaim: "sub", ClientID: "console"} }, []string{"operator.oidc.issuer"},
		},
		"one name twice": {
			func(o *OIDC) { o.Grants = append(o.Grants, o.Grants[0]) },
			[]string{"operator.oidc.grants[1].name"},
		},
		"a display name": {func(o *OIDC) { o.Grants[0].DisplayName = "Finance" }, nil},
		"a display name that is turned round": {
			func(o *OIDC) { o.Grants[0].DisplayName = "\u202eecnaniF" }, []string{"operator.oidc.grants[0].display_name"},
		},
		"an unknown action": {
			func(o *OIDC) { o.Grants[0].Can = []string{"administer"} }, []string{"operator.oidc.grants[0].can[0]"},
		},
		"a pattern without a bucket": {
			func(o *OIDC) { o.Grants[0].Objects = []string{"reports"} }, []string{"operator.oidc.grants[0].objects[0]"},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := Default()
			c.Public.URL = "https://dl.example.com"
			c.Storage = []Storage{{
				Name: "main", Region: "us-east-1", Buckets: []string{"reports"},
				Timeout: DefaultStorage().Timeout,
			}}
			c.Operator.OIDC = good
			c.Operator.OIDC.Grants = append([]OIDCGrant{}, good.Grants...)
			tt.change(&c.Operator.OIDC)
			problems, _ := c.validate()
			problems.sort()
			var paths []string
			for _, p := range problems {
				paths = append(paths, p.Path)
			}
			if len(paths) != len(tt.want) {
				t.Fatalf("problems at %v, want %v", paths, tt.want)
			}
			for i := range paths {
				if paths[i] != tt.want[i] {
					t.Errorf("problems at %v, want %v", paths, tt.want)
				}
			}
		})
	}
}

func TestClaimPath(t *testing.T) {
	t.Parallel()
	for claim, want := range map[string][]string{
		"groups":                         {"groups"},
		"realm_access.roles":             {"realm_access", "roles"},
		`resource_access."my.app".roles`: {"resource_access", "my.app", "roles"},
		`"https://example.com/role"`:     {"https://example.com/role"},
		"https://example.com/role":       {"https://example", "com/role"},
		`a."b\"c\\d"`:                    {"a", `b"c\d`},
		`a."b\c"`:                        {"a", `b\c`},
		`"a"."b"`:                        {"a", "b"},
		"cognito:groups":                 {"cognito:groups"},
		"":                               nil,
		".":                              nil,
		"a.":                             nil,
		".a":                             nil,
		"a..b":                           nil,
		`a."".b`:                         nil,
		`a."b`:                           nil,
		`a"b".c`:                         nil,
		`a."b"c`:                         nil,
		`"`:                              nil,
		`"a\"`:                           nil,
	} {
		got, err := ClaimPath(claim)
		if (err == nil) != (want != nil) || !slices.Equal(got, want) {
			t.Errorf("%s: got %q, %v; want %q", claim, got, err, want)
		}
	}
}
