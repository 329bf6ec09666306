// Gospf checks one message with one of the SPF libraries of its go.mod, which are no
// dependency of nullspf:
//
//	gospf LIBRARY IP SENDER HELO
//
// It prints the result, and the explanation in a second line.
package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"strings"

	blitiri "blitiri.com.ar/go/spf"
	mileusna "github.com/mileusna/spf"
	moxdns "github.com/mjl-/mox/dns"
	"github.com/mjl-/mox/smtp"
	mox "github.com/mjl-/mox/spf"
	redsift "github.com/redsift/spf/v2"
	zaccone "github.com/zaccone/spf"
)

func main() {
	if len(os.Args) != 5 {
		fmt.Fprintln(os.Stderr, "usage: gospf LIBRARY IP SENDER HELO")
		os.Exit(2)
	}
	ip, sender, helo := net.ParseIP(os.Args[2]), os.Args[3], os.Args[4]
	at := strings.LastIndexByte(sender, '@')
	local, domain := sender[:at], sender[at+1:]
	var result any
	var text string
	switch os.Args[1] {
	case "blitiri":
		result, _ = blitiri.CheckHostWithSender(ip, helo, sender)
	case "mileusna":
		// It asks no resolver of the system.
		mileusna.DNSServer = nameserver()
		result = mileusna.CheckHost(ip, domain, sender, helo)
	case "redsift":
		result, text, _, _ = redsift.CheckHost(ip, domain, sender, redsift.HeloDomain(helo))
	case "zaccone":
		result, text, _ = zaccone.CheckHost(ip, domain, sender)
	case "zaccone-miekg":
		resolver, err := zaccone.NewMiekgDNSResolver(nameserver())
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		result, text, _ = zaccone.CheckHostWithResolver(ip, domain, sender, resolver)
	case "mox":
		log := slog.New(slog.NewTextHandler(io.Discard, nil))
		args := mox.Args{RemoteIP: ip, MailFromLocalpart: smtp.Localpart(local), MailFromDomain: moxdns.Domain{ASCII: domain}}
		if literal := strings.Trim(helo, "[]"); literal != helo {
			args.HelloDomain.IP = net.ParseIP(literal)
		} else {
			args.HelloDomain.Domain.ASCII = helo
		}
		received, _, explanation, _, _ := mox.Verify(context.Background(), log, moxdns.StrictResolver{Log: log}, args)
		result, text = received.Result, explanation
	default:
		fmt.Fprintf(os.Stderr, "no library %q\n", os.Args[1])
		os.Exit(2)
	}
	fmt.Printf("%v\n%s\n", result, text)
}

// nameserver is that of /etc/resolv.conf.
func nameserver() string {
	conf, _ := os.ReadFile("/etc/resolv.conf")
	for line := range strings.Lines(string(conf)) {
		if f := strings.Fields(line); len(f) == 2 && f[0] == "nameserver" {
			return net.JoinHostPort(f[1], "53")
		}
	}
	return ""
}
