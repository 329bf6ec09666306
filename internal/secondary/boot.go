package secondary

import (
	"os"
	"strconv"
	"strings"
	"time"
)

// MachineBoot is the Boot of a [Clock] on Linux: the id and age of the machine's
// boot, as the kernel says them. Elsewhere they are unknown.
func MachineBoot() (id string, age time.Duration) {
	name, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return "", 0
	}
	uptime, err := os.ReadFile("/proc/uptime")
	if err != nil {
		return "", 0
	}
	seconds, _, _ := strings.Cut(string(uptime), " ")
	s, err := strconv.ParseFloat(seconds, 64)
	if err != nil {
		return "", 0
	}
	return strings.TrimSpace(string(name)), time.Duration(s * float64(time.Second))
}
