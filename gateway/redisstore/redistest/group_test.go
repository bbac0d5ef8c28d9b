package redistest

import (
	"strings"
	"testing"
)

// TestFailOver lets replicas take over only after FailOver, also beside a node that has ended.
func TestFailOver(t *testing.T) {
	for name, tt := range map[string]struct {
		start          func(testing.TB, ...string) *Group
		command        string
		before, after  []string
		serversOfGroup func(*Group) []*Server
	}{
		"cluster": {
			StartCluster, "CONFIG GET cluster-*",
			[]string{clusterTimeout + "\n60000"},
			[]string{clusterTimeout + "\n2000", clusterStays + "\nno"},
			func(g *Group) []*Server { return g.Servers[1:] },
		},
		"sentinel": {
			StartSentinel, "SENTINEL MASTER links",
			[]string{sentinelTimeout + "\n60000"},
			[]string{sentinelTimeout + "\n1000"},
			func(g *Group) []*Server { return g.Sentinels },
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := tt.start(t)
			servers, command := tt.serversOfGroup(g), strings.Fields(tt.command)
			g.Servers[0].Kill(t)
			for _, s := range servers {
				if err := contains(s, command, tt.before...); err != nil {
					t.Errorf("at first: %v", err)
				}
			}
			g.FailOver(t)
			for _, s := range servers {
				if err := contains(s, command, tt.after...); err != nil {
					t.Errorf("after FailOver: %v", err)
				}
			}
			Wait(t, "the replica to take over", func() error {
				return contains(g.Servers[len(g.Servers)/2], []string{"ROLE"}, "master")
			})
		})
	}
}
