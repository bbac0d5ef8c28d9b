package preview

import (
	"time"

	"keyhole/gateway"
)

// sampleLink returns the link of the pages. Its file is revealed, and everybody may
// download it any number of times until it expires.
func sampleLink(now time.Time) gateway.Link {
	return gateway.Link{
		ID: gateway.IDOf("a sample"), State: gateway.StateActive, Action: gateway.LinkDownload,
		Ref: gateway.ObjectRef{Storage: "main", Bucket: "reports", Key: "2026/Quarterly report 2026-Q3.pdf"},
		Object: gateway.ObjectInfo{
			Size: 2_418_176, ETag: `"sample"`, ContentType: "application/pdf", LastModified: now.Add(-26 * time.Hour),
		},
		CreatedAt: now.Add(-2 * time.Hour), ExpiresAt: now.Add(50 * time.Hour), CreatedBy: "maria", Confirm: true,
		Disposition: gateway.DispositionAttachment, Pin: gateway.PinETag,
		Note: "Figures as approved on Monday.\nPlease do not forward them before the meeting.",
	}
}

// samplePage returns the confirmation page of a link.
func samplePage(link gateway.Link) *gateway.Page {
	return &gateway.Page{
		Link: link, Nonce: "sample", Origin: "https://reports.s3.eu-central-1.amazonaws.com",
		ResumeWindow: 10 * time.Minute, // the default
	}
}

// sampleFacts returns the facts that the page of a refusal shows: about a link that has
// expired, was revoked before, or is not valid yet.
func sampleFacts(now time.Time) *gateway.Facts {
	link := sampleLink(now)
	link.ExpiresAt, link.RevokedAt = now.Add(-3*time.Hour), now.Add(-50*time.Hour)
	link.NotBefore = now.Add(20 * time.Hour)
	return gateway.FactsOf(&link)
}

// The values that pages show to a client outside of the allowed networks, and to a client
// that has to wait.
const (
	sampleAddress = "203.0.113.7" // RFC 5737
	sampleWait    = 15 * time.Minute
)
