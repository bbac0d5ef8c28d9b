package explain

import (
	"fmt"
	"time"
)

// Plural writes a number of things.
func Plural(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}

// Size writes a number of bytes as people read it, and nothing for one that is not
// known.
func Size(known *int64) string {
	const unit = 1024
	if known == nil {
		return ""
	}
	n := *known
	if n < unit {
		return fmt.Sprintf("%d B", n)
	}
	value, prefix := float64(n)/unit, 0
	for value >= unit && prefix < len("KMGTPE")-1 {
		value /= unit
		prefix++
	}
	return fmt.Sprintf("%.1f %ciB (%d bytes)", value, "KMGTPE"[prefix], n)
}

// Timestamp writes a time in RFC 3339, and nothing for one that is not known.
func Timestamp(known *time.Time) string {
	if known == nil {
		return ""
	}
	return known.Format(time.RFC3339)
}
