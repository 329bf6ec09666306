package tally

// Mark is the count of each text of a marked run. It is greater than the number of events
// that a log can hold.
const Mark = 1 << 48

// Marked is a run with Mark for each count, so that a sum shows whether a text is in it:
// the sum is Mark at least.
func Marked(r Run) Run { return marked{r} }

type marked struct{ Run }

func (m marked) Count() uint64 { return Mark }

func (m marked) From(text string) Run { return marked{m.Run.From(text)} }
