package journal

import "syscall"

// changeTime is when the file changed, in nanoseconds since 1970-01-01 UTC.
func changeTime(st *syscall.Stat_t) int64 { return st.Ctim.Nano() }
