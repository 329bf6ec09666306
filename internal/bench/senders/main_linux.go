// Senders measures how mail servers send to domains with nolisting: Postfix, Exim,
// OpenSMTPD and sendmail, as Debian packages and configures them, send two messages
// each to domains that nullspf publishes and nullspfd serves. The hosts that defer are
// nullspfd, too.
//
//	go run ./internal/bench/senders -write docs/mail.md
//
// It prints a table in Markdown, or writes it between the comments "<!-- senders -->"
// and "<!-- end of senders -->" of a document: which hosts each message was offered to,
// in order, and when the live host had it. All runs in network namespaces of its own
// and takes some five minutes, which are waited for, and root.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"nullspf/internal/mtas"
)

func main() {
	write := flag.String("write", "", "document to write the table into")
	only := flag.String("only", "", "measure one sender: postfix, exim, opensmtpd or sendmail")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *write, mtas.Kind(*only)); err != nil {
		fmt.Fprintln(os.Stderr, "senders:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, document string, only mtas.Kind) error {
	p := plan{scenarios: scenarios, messages: 2}
	for _, s := range senders {
		if only == "" || s.kind == only {
			p.senders = append(p.senders, s)
		}
	}
	results, err := measure(ctx, p)
	if err != nil {
		return err
	}
	table := markdown(scenarios, results)
	if document == "" {
		fmt.Print(table)
		return nil
	}
	text, err := os.ReadFile(document)
	if err != nil {
		return err
	}
	const begin, end = "<!-- senders -->\n", "<!-- end of senders -->"
	before, rest, found := strings.Cut(string(text), begin)
	_, after, ended := strings.Cut(rest, end)
	if !found || !ended {
		return fmt.Errorf("%s has no place for the table between %s and %s", document, strings.TrimSpace(begin), end)
	}
	return os.WriteFile(document, []byte(before+begin+table+end+after), 0o644)
}
