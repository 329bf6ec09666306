package wire

// Labels says where the labels of a name begin, as offsets into the name.
type Labels struct {
	// At has the offset of each label, and behind them that of the root label.
	At [128]uint8
	// Count is the number of labels, the root label not counted.
	Count int
}

// Read finds the labels of the uncompressed name at the start of b and returns
// the size of the name, or 0 when no name stands there.
func (l *Labels) Read(b []byte) (size int) { return readLabels(l, b) }

func readLabels[T ~string | ~[]byte](l *Labels, b T) (size int) {
	count := 0
	for at := 0; at < len(b) && at < MaxName; count++ {
		l.At[count] = uint8(at)
		n := int(b[at])
		if n == 0 {
			l.Count = count
			return at + 1
		}
		if n > MaxLabel {
			break
		}
		at += 1 + n
	}
	l.Count = 0
	return 0
}
