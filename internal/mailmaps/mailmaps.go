// Package mailmaps makes the tables by which hosts with Postfix, sendmail, Exim or
// OpenSMTPD accept mail for postmaster, and reject all other mail, in the domains
// of a set:
//
//	postmaster@brand.example   accepted for the one mailbox of the settings
//	anybody@brand.example      554 5.7.1 This domain is not used for email
//
// The tables are made from the same set as the zones, so that what the MX
// RRsets promise is what the hosts in them do (RFC 5321 section 4.5.1).
//
// The domains are those with mail mode postmaster or nolisting. A domain with a
// null MX (RFC 7505) is in none of these tables: no host accepts its mail.
// A sender that ignores the null MX and connects to the address of the domain
// finds a host that does not know the domain and refuses as for any other
// foreign domain; if the tables had it, that host would accept mail for
// postmaster in a domain whose DNS says that it accepts none.
//
// With [Settings.RejectSender] there is one more table for each software, of
// senders to refuse. It has all domains, because none of them sends mail.
//
// Below the output directory are, for each software, the tables and, for each
// role of a host, the few lines of configuration that enable them:
//
//	mail/sendmail/virtusertable.appendix      mail/postfix/recipient_access
//	mail/sendmail/access.appendix             mail/postfix/sender_access
//	mail/sendmail/local-host-names            mail/postfix/virtual_alias_domains
//	mail/sendmail/relay-domains               mail/postfix/virtual
//	mail/sendmail/destination.mc              mail/postfix/relay_domains
//	mail/sendmail/relay.mc                    mail/postfix/relay_recipients
//	                                          mail/postfix/destination.cf
//	                                          mail/postfix/relay.cf
//	mail/exim/domains                         mail/opensmtpd/domains
//	mail/exim/senders                         mail/opensmtpd/senders
//	mail/exim/acl.conf                        mail/opensmtpd/postmasters
//	mail/exim/routers.conf                    mail/opensmtpd/refused
//	                                          mail/opensmtpd/virtual
//	                                          mail/opensmtpd/destination.conf
//	                                          mail/opensmtpd/relay.conf
//
// A destination treats the domains as its own and forwards mail for postmaster
// to the mailbox. A relay, such as a backup MX host, does not: it sends that mail
// to the MX hosts of lower preference, but sendmail to the mailbox. Both reject all
// other mail themselves, at RCPT: a host that accepted it and was rejected by the
// next would send bounces to forged senders.
package mailmaps

import (
	"bufio"
	"fmt"
	"strings"

	"nullspf/internal/ascii"
	"nullspf/zones"
)

// line is what a table holds for a domain: the domain between two texts.
type line struct{ before, after string }

// table is a file with the same lines for each domain whose mail hosts accept, or
// for all domains.
type table struct {
	path    string
	comment string
	lines   []line
	all     bool
}

// tables returns all tables; s is valid.
func (s Settings) tables() []table {
	mailbox := "\t" + s.Postmaster + "\n"
	refusal := "554 5.7.1 " + s.reply()
	names := []line{{"", "\n"}}
	tables := []table{
		{"mail/sendmail/virtusertable.appendix", "Virtual users, to be appended to the virtusertable", []line{
			{"postmaster@", mailbox},
			{"@", "\terror:5.7.1:554 " + s.reply() + "\n"},
		}, false},
		{"mail/sendmail/local-host-names", "Local host names of a destination", names, false},
		{"mail/sendmail/relay-domains", "Domains of a relay", names, false},
		{"mail/postfix/recipient_access", "Recipients to refuse, see access(5)", []line{
			{"postmaster@", "\tDUNNO\n"},
			{"", "\t" + refusal + "\n"},
		}, false},
		{"mail/postfix/virtual_alias_domains", "Domains of a destination, see virtual(5)", []line{{"", "\tOK\n"}}, false},
		{"mail/postfix/virtual", "Recipients of a destination, see virtual(5)", []line{{"postmaster@", mailbox}}, false},
		{"mail/postfix/relay_domains", "Domains of a relay", []line{{"", "\tOK\n"}}, false},
		{"mail/postfix/relay_recipients", "Recipients of a relay", []line{{"postmaster@", "\tOK\n"}}, false},
		{"mail/exim/domains", "Domains, with the reply to all but postmaster", []line{{"", ": " + refusal + "\n"}}, false},
		{"mail/opensmtpd/domains", "Domains, see table(5)", names, false},
		{"mail/opensmtpd/postmasters", "Recipients to accept, see table(5)", []line{{"postmaster@", "\n"}}, false},
		{"mail/opensmtpd/refused", "Recipients to refuse, see table(5)", []line{{"@", "\n"}, {"@*.", "\n"}}, false},
		{"mail/opensmtpd/virtual", "Recipients of a destination, see table(5)", []line{{"postmaster@", mailbox}}, false},
	}
	if s.RejectSender {
		tables = append(tables,
			table{"mail/sendmail/access.appendix", "Senders to refuse, to be appended to the access table",
				[]line{{"From:", "\tERROR:5.7.1:" + refusal + "\n"}}, true},
			table{"mail/postfix/sender_access", "Senders to refuse, see access(5)", []line{{"", "\t" + refusal + "\n"}}, true},
			table{"mail/exim/senders", "Senders to refuse, with the reply", []line{{"", ": " + refusal + "\n"}}, true},
			table{"mail/opensmtpd/senders", "Senders to refuse, see table(5)", []line{{"@", "\n"}, {"@*.", "\n"}}, true})
	}
	return tables
}

// Files returns the tables for the domains of set, and the configurations that
// switch them on. It fails when the settings are not valid, when there are
// domains but no mailbox, and when the mailbox is in a domain whose mail is
// rejected. The files are streamed; their size does not matter.
func Files(s Settings, set *zones.Set) ([]zones.File, error) {
	if err := zones.JoinKeyErrors(s.Validate()); err != nil {
		return nil, err
	}
	if fault := s.checkMailbox(set); fault != nil {
		return nil, fault
	}
	var files []zones.File
	for _, t := range s.tables() {
		files = append(files, zones.File{Path: t.path, Mode: 0o644, Write: func(w *bufio.Writer, _ uint32) error {
			return t.write(w, set)
		}})
	}
	for _, c := range s.configurations() {
		files = append(files, zones.File{Path: c.path, Mode: 0o644, Write: func(w *bufio.Writer, _ uint32) error {
			_, err := w.WriteString(c.text)
			return err
		}})
	}
	return files, nil
}

// served reports whether hosts accept mail of a domain.
func served(set *zones.Set, e *zones.Entry) bool { return set.Mail(e) != zones.NullMX }

func (t table) write(w *bufio.Writer, set *zones.Set) error {
	if _, err := w.WriteString("# " + t.comment + ".\n# " + generated + ".\n"); err != nil {
		return err
	}
	for i := range set.Entries {
		e := &set.Entries[i]
		if !t.all && !served(set, e) {
			continue
		}
		for _, l := range t.lines {
			// A bufio.Writer keeps its first error.
			_, _ = w.WriteString(l.before)
			_, _ = w.WriteString(e.Name)
			if _, err := w.WriteString(l.after); err != nil {
				return err
			}
		}
	}
	return nil
}

// keyPostmaster is the key of [Settings.Postmaster].
const keyPostmaster = "postmaster"

func fault(key, format string, args ...any) *zones.KeyError {
	return &zones.KeyError{Key: key, Reason: fmt.Sprintf(format, args...)}
}

// checkMailbox checks that mail for the mailbox can arrive.
func (s Settings) checkMailbox(set *zones.Set) *zones.KeyError {
	if s.Postmaster == "" {
		for i := range set.Entries {
			if e := &set.Entries[i]; served(set, e) {
				return fault(keyPostmaster, "missing: %s has mail mode %s, which requires a mailbox for postmaster (RFC 5321 section 4.5.1); write a mailbox such as postmaster@mail.example.net",
					e.Name, set.Mail(e))
			}
		}
		return nil
	}
	_, domain, _ := strings.Cut(s.Postmaster, "@")
	domain = ascii.ToLower(domain)
	for name := domain; name != ""; _, name, _ = strings.Cut(name, ".") {
		e := set.Find(name)
		if e == nil {
			continue
		}
		if name == domain || served(set, e) {
			return fault(keyPostmaster, "%s is in %s, which is on a list: its mail would be rejected; use a mailbox in a domain that is used for mail",
				s.Postmaster, name)
		}
	}
	return nil
}

// Validate checks the settings by themselves; an empty mailbox is not an
// error here.
func (s Settings) Validate() []*zones.KeyError {
	var faults []*zones.KeyError
	if s.Postmaster != "" {
		if what := mailboxFault(s.Postmaster); what != "" {
			faults = append(faults, fault(keyPostmaster, "%s %s; write a mailbox such as postmaster@mail.example.net", shown(s.Postmaster), what))
		}
	}
	if what := replyFault(s.reply()); what != "" {
		faults = append(faults, fault("reply", "%s %s; write a short text such as %q", shown(s.Reply), what, defaultReply))
	}
	return faults
}
