package config

import "testing"

func TestOIDCRules(t *testing.T) {
	t.Parallel()
	good := OIDC{
		Issuer: "https://login.example.com/realms/main", Audience: "keyhole", NameClaim: "sub",
		Grants: []OIDCGrant{{Name: "sharers", Claim: "groups", Value: "sharers", Can: []string{"issue"}, Objects: []string{"*"}}},
	}
	tests := map[string]struct {
		change func(*OIDC)
		want   []string
	}{
		"right":              {func(*OIDC) {}, nil},
		"http on loopback":   {func(o *OIDC) { o.Issuer = "http://127.0.0.1:8090" }, nil},
		"http on localhost":  {func(o *OIDC) { o.Issuer = "http://localhost:8090/x" }, nil},
		"nothing":            {func(o *OIDC) { *o = OIDC{NameClaim: "sub"} }, nil},
		"http elsewhere":     {func(o *OIDC) { o.Issuer = "http://login.example.com" }, []string{"operator.oidc.issuer"}},
		"no scheme":          {func(o *OIDC) { o.Issuer = "login.example.com" }, []string{"operator.oidc.issuer"}},
		"another scheme":     {func(o *OIDC) { o.Issuer = "ftp://login.example.com" }, []string{"operator.oidc.issuer"}},
		"a query":            {func(o *OIDC) { o.Issuer = "https://login.example.com?x=1" }, []string{"operator.oidc.issuer"}},
		"a password":         {func(o *OIDC) { o.Issuer = "https://a:b@login.example.com" }, []string{"operator.oidc.issuer"}},
		"CRLF":               {func(o *OIDC) { o.Issuer = "https://login.example.com/\r\nx" }, []string{"operator.oidc.issuer"}},
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
		"one name twice": {func(o *OIDC) { o.Grants = append(o.Grants, o.Grants[0]) }, []string{"operator.oidc.grants[1].name"}},
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
			c.Storage = []Storage{{Name: "main", Region: "us-east-1", Buckets: []string{"reports"}, Timeout: DefaultStorage().Timeout}}
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
