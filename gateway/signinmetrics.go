package gateway

import "github.com/prometheus/client_golang/prometheus"

// The methods of signing in to the console, as the metric shows them.
const (
	SignInByKey  = "key"  // an operator key
	SignInByOIDC = "oidc" // the identity provider
)

// newSignInMetrics registers the counter of refused sign-ins. Every method has a series
// from the start, so that an alert sees the first refusal.
func newSignInMetrics(registerer prometheus.Registerer) *prometheus.CounterVec {
	failures := counter("console_sign_in_failures_total",
		"Sign-ins to the console that were refused, by method: a wrong key, or a sign-in at the identity provider that "+
			"was not confirmed.", "method")
	registerer.MustRegister(failures)
	for _, method := range []string{SignInByKey, SignInByOIDC} {
		failures.WithLabelValues(method)
	}
	return failures
}

// SignInFailed counts a refused sign-in to the console. method is SignInByKey or
// SignInByOIDC.
func (m *Metrics) SignInFailed(method string) { m.signInFailures.WithLabelValues(method).Inc() }
