// Poison measures what it costs to put an innocent address on a list of nullspf log export,
// and how many forgers get there. It plays attackers and honest receivers, and weighs what
// the tracking servers would have recorded with package tier, as the program does:
//
//	go run ./internal/bench/poison [-victims N] [-days N] [-forgers N]
//
// It prints the tables of docs/evidence.md, and ends with 1 when an attack reaches a tier
// that it must not, or when too few forgers are caught.
package main

import (
	"flag"
	"fmt"
	"os"
)

func main() {
	s := size{}
	flag.IntVar(&s.victims, "victims", 1_000_000, "how many addresses an attack with spoofed packets claims; others claim a thousandth")
	flag.IntVar(&s.days, "days", 30, "days of honest traffic")
	flag.IntVar(&s.forgers, "forgers", 1000, "forgers of each kind")
	flag.Parse()
	if s.victims < 1000 || s.days < 2 || s.forgers < 1 {
		fmt.Fprintln(os.Stderr, "poison: at least 1000 victims, 2 days and 1 forger are needed")
		os.Exit(1)
	}
	problems, err := tables(os.Stdout, s)
	if err != nil {
		fmt.Fprintln(os.Stderr, "poison:", err)
		os.Exit(1)
	}
	for _, p := range problems {
		fmt.Fprintln(os.Stderr, "poison:", p)
	}
	if len(problems) > 0 {
		os.Exit(1)
	}
}
