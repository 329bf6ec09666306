//go:build !linux

package journal

import "syscall"

func changeTime(*syscall.Stat_t) int64 { return 0 }
