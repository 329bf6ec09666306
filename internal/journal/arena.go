package journal

// arena is memory for the records and texts of events that are being sealed. They
// leave in order, so that it is used again, instead of having new memory for every
// block, which costs as much as parsing.
//
//	pieces   |block block block|block block ...room...|
//	          oldest                            newest
type arena struct {
	pieces []piece
	// free are pieces that nothing refers to.
	free [][]byte
	// room is what is left of the newest piece.
	room []byte
}

// piece is a piece of memory that the events before end refer to.
type piece struct {
	memory []byte
	end    uint64
}

// pieceBytes is the size of a piece, if a block does not need more.
const pieceBytes = 256 << 10

// reserve returns room for n bytes.
func (a *arena) reserve(n int) []byte {
	if n > len(a.room) {
		var memory []byte
		if k := len(a.free); k > 0 && n <= pieceBytes {
			memory, a.free = a.free[k-1], a.free[:k-1]
		} else {
			memory = make([]byte, max(n, pieceBytes))
		}
		a.pieces = append(a.pieces, piece{memory: memory})
		a.room = memory
	}
	return a.room[:n]
}

// keep notes that the first n bytes of the room that was reserved are used by events
// before end.
func (a *arena) keep(n int, end uint64) {
	a.room = a.room[n:]
	p := &a.pieces[len(a.pieces)-1]
	p.end = max(p.end, end)
}

// release takes back the memory to which no event from oldest on refers.
func (a *arena) release(oldest uint64) {
	n := 0
	for n < len(a.pieces)-1 && a.pieces[n].end <= oldest {
		if memory := a.pieces[n].memory; len(memory) == pieceBytes {
			a.free = append(a.free, memory)
		}
		n++
	}
	if n > 0 {
		a.pieces = append(a.pieces[:0], a.pieces[n:]...)
	}
}
