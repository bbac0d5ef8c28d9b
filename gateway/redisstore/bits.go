package redisstore

import "math/bits"

// bitWriter packs numbers of any number of bits, the first one in the highest bits.
type bitWriter struct {
	data []byte
	used int // bits
}

// write appends the lowest bits of a number.
func (w *bitWriter) write(n uint64, width int) {
	for i := width - 1; i >= 0; i-- {
		if w.used%8 == 0 {
			w.data = append(w.data, 0)
		}
		if n>>i&1 == 1 {
			w.data[w.used/8] |= 0x80 >> (w.used % 8)
		}
		w.used++
	}
}

// gamma appends a number above 0 in Elias' gamma code: as many zeros as the number has
// further bits, then the number. The number 1 takes one bit.
func (w *bitWriter) gamma(n int64) {
	width := bits.Len64(uint64(n)) //nolint:gosec // Above 0.
	w.write(0, width-1)
	w.write(uint64(n), width) //nolint:gosec // Above 0.
}

// gammaBits returns the number of bits that gamma writes.
func gammaBits(n int64) int { return 2*bits.Len64(uint64(n)) - 1 } //nolint:gosec // Above 0.

// bytes returns what was written; the last byte ends with zeros.
func (w *bitWriter) bytes() []byte { return w.data }

// bitReader reads what a bitWriter wrote. failed means that the data has ended too early
// or is invalid.
type bitReader struct {
	data   string
	used   int // bits
	failed bool
}

// read reads a number of that many bits.
func (r *bitReader) read(width int) (n uint64) {
	for range width {
		if r.used >= 8*len(r.data) {
			r.failed = true
			return 0
		}
		n = n<<1 | uint64(r.data[r.used/8]>>(7-r.used%8)&1)
		r.used++
	}
	return n
}

// gamma reads a number that gamma wrote, of at most 33 bits.
func (r *bitReader) gamma() uint64 {
	zeros := 0
	for r.read(1) == 0 {
		if zeros++; r.failed || zeros > 32 {
			r.failed = true
			return 1
		}
	}
	return 1<<zeros | r.read(zeros)
}
