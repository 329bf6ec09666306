package mailmaps

import "strings"

// configuration is a file with the lines that switch tables on.
type configuration struct{ path, text string }

const generated = "Made by nullspf; changes are lost"

// configurations returns one for each part that a host can have.
func (s Settings) configurations() []configuration {
	sendmail, postfix := s.folders()
	fill := strings.NewReplacer(
		"{generated}", generated, "{sendmail}", sendmail, "{postfix}", postfix)
	return []configuration{
		{"mail/sendmail/destination.mc", fill.Replace(sendmailDestination)},
		{"mail/sendmail/relay.mc", fill.Replace(sendmailRelay)},
		{"mail/postfix/destination.cf", fill.Replace(postfixDestination)},
		{"mail/postfix/relay.cf", fill.Replace(postfixRelay)},
	}
}

// folders returns where a mail host finds the tables.
func (s Settings) folders() (sendmail, postfix string) {
	if !strings.HasPrefix(s.Dir, "/") || strings.ContainsFunc(s.Dir, unusual) {
		return "/etc/mail/nullspf", "/etc/postfix/nullspf"
	}
	dir := strings.TrimRight(s.Dir, "/")
	return dir + "/mail/sendmail", dir + "/mail/postfix"
}

// unusual reports whether r may have a meaning of its own in m4, sendmail.cf or
// main.cf.
func unusual(r rune) bool {
	return r > '~' || !alphanumeric(byte(r)) && !strings.ContainsRune("/._-+=@", r)
}

const sendmailDestination = `dnl {generated}.
dnl
dnl For sendmail.mc, before the MAILER lines, of the MX hosts that accept mail:
dnl mail for postmaster goes on to the mailbox, all other mail is refused with
dnl 554 5.7.1. The domains are local names here (class w): mail for names below
dnl them stays foreign. A host that must not take the domains for its own names
dnl uses relay.mc instead, never both.
dnl
dnl Build the virtusertable, with your own entries, when the lists have changed:
dnl
dnl   cat /etc/mail/virtusertable {sendmail}/virtusertable.appendix |
dnl       makemap hash /etc/mail/virtusertable
dnl
dnl and restart sendmail, which reads local-host-names at its start only, and only
dnl when no folder above it can be written by its group or by others.
FEATURE(` + "`virtusertable'" + `)dnl
LOCAL_CONFIG
Fw` + "`{sendmail}/local-host-names'" + `
`

const sendmailRelay = `dnl {generated}.
dnl
dnl For sendmail.mc, before the MAILER lines, of a host that is no destination of
dnl the domains, such as a backup MX host: mail for postmaster goes on to the
dnl mailbox, all other mail is refused with 554 5.7.1.
dnl
dnl Do not put the domains into /etc/mail/relay-domains: sendmail would accept
dnl mail for everybody in them, and send bounces to forged senders when the next
dnl host refuses. VIRTUSER_DOMAIN_FILE looks into the virtusertable first.
dnl relay_hosts_only refuses mail for names below the domains; it does so for
dnl your other relay domains too: list the names below them that you relay for.
dnl
dnl Build the virtusertable, with your own entries, when the lists have changed:
dnl
dnl   cat /etc/mail/virtusertable {sendmail}/virtusertable.appendix |
dnl       makemap hash /etc/mail/virtusertable
dnl
dnl and restart sendmail, which reads relay-domains at its start only, and only
dnl when no folder above it can be written by its group or by others.
FEATURE(` + "`relay_hosts_only'" + `)dnl
FEATURE(` + "`virtusertable'" + `)dnl
VIRTUSER_DOMAIN_FILE(` + "`{sendmail}/relay-domains'" + `)dnl
`

const postfixDestination = `# {generated}.
#
# For main.cf of the MX hosts that accept mail: mail for postmaster goes on to
# the mailbox, all other mail is refused with 554 5.7.1. Build the tables when
# the lists have changed; Postfix sees new tables by itself:
#
#   cd {postfix} && postmap recipient_access virtual_alias_domains virtual
#
# Where main.cf has values for these parameters, add those from here to them:
# - virtual_alias_domains: where main.cf has none, but domains stand in the
#   tables of virtual_alias_maps, write $virtual_alias_maps before the new one.
#   The domains must not stand in mydestination, virtual_mailbox_domains or
#   relay_domains too. virtual_mailbox_domains would not do in their place: with
#   virtual_mailbox_maps empty, Postfix accepts mail for everybody in them.
# - smtpd_recipient_restrictions: check_recipient_access comes first, before
#   anything that permits. For postmaster the restrictions after it go on.
#
# Names below the domains are foreign to this host. The default of
# smtpd_relay_restrictions defers mail for foreign domains, and senders try
# again; put reject_unauth_destination there to refuse it for good.
nullspf_tables = $default_database_type:{postfix}
virtual_alias_domains = $nullspf_tables/virtual_alias_domains
virtual_alias_maps = $nullspf_tables/virtual
smtpd_recipient_restrictions = check_recipient_access $nullspf_tables/recipient_access
`

const postfixRelay = `# {generated}.
#
# For main.cf of a host that is no destination of the domains, such as a backup
# MX host: mail for postmaster goes on to the MX hosts of lower preference, all
# other mail is refused with 554 5.7.1 and never bounced to forged senders.
# Build the tables when the lists have changed; Postfix sees new tables by
# itself:
#
#   cd {postfix} && postmap recipient_access relay_domains relay_recipients
#
# Where main.cf has values for these parameters, add those from here to them:
# - relay_recipient_maps: where main.cf has none, but other relay_domains, leave
#   the parameter out: it would refuse all mail for the others.
#   recipient_access does without it.
# - smtpd_recipient_restrictions: check_recipient_access comes first, before
#   anything that permits. For postmaster the restrictions after it go on.
#
# Postfix has to know all addresses under which the MX records name this host,
# or mail loops: behind address translation, list them in proxy_interfaces. To
# send mail for postmaster straight to the mailbox, use destination.cf here too.
#
# Names below the domains are refused with the same text, because the default
# of parent_domain_matches_subdomains has smtpd_access_maps.
nullspf_tables = $default_database_type:{postfix}
relay_domains = $nullspf_tables/relay_domains
relay_recipient_maps = $nullspf_tables/relay_recipients
smtpd_recipient_restrictions = check_recipient_access $nullspf_tables/recipient_access
`
