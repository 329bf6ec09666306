package main

import (
	"os"
	"strconv"
	"time"
)

// clock is the time for serial numbers. SOURCE_DATE_EPOCH, in seconds since
// 1970, makes builds repeatable that run at different times.
func clock() time.Time {
	if n, err := strconv.ParseInt(os.Getenv("SOURCE_DATE_EPOCH"), 10, 64); err == nil {
		return time.Unix(n, 0)
	}
	return time.Now()
}
