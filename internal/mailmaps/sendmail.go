package mailmaps

const sendmailDestination = `dnl {generated}.
dnl
dnl For sendmail.mc, before the MAILER lines, of the MX hosts that accept mail:
dnl mail for postmaster is forwarded to the mailbox, all other mail is rejected
dnl with 554 5.7.1. The domains become local host names (class w); names below
dnl them do not. A host that must not treat the domains as its own names uses
dnl relay.mc instead, never both.
dnl
dnl Rebuild the virtusertable, with your own entries, when the lists have changed:
dnl
dnl   cat /etc/mail/virtusertable {sendmail}/virtusertable.appendix |
dnl       makemap hash /etc/mail/virtusertable
dnl
dnl and restart sendmail. It reads local-host-names only when it starts, and only if
dnl none of the directories above that file is writable by group or others.
FEATURE(` + "`virtusertable'" + `)dnl
LOCAL_CONFIG
Fw` + "`{sendmail}/local-host-names'" + `
`

const sendmailRelay = `dnl {generated}.
dnl
dnl For sendmail.mc, before the MAILER lines, of a host that is not a destination of
dnl the domains, such as a backup MX host: mail for postmaster is forwarded to the
dnl mailbox, all other mail is rejected with 554 5.7.1.
dnl
dnl Do not add the domains to /etc/mail/relay-domains: sendmail would accept mail
dnl for every recipient in them, and bounce to forged senders what the next host
dnl rejects. VIRTUSER_DOMAIN_FILE looks recipients up in the virtusertable first.
dnl relay_hosts_only rejects mail for names below the domains, and below your
dnl other relay domains too: list the names below those that you relay for.
dnl
dnl Rebuild the virtusertable, with your own entries, when the lists have changed:
dnl
dnl   cat /etc/mail/virtusertable {sendmail}/virtusertable.appendix |
dnl       makemap hash /etc/mail/virtusertable
dnl
dnl and restart sendmail. It reads relay-domains only when it starts, and only if
dnl none of the directories above that file is writable by group or others.
FEATURE(` + "`relay_hosts_only'" + `)dnl
FEATURE(` + "`virtusertable'" + `)dnl
VIRTUSER_DOMAIN_FILE(` + "`{sendmail}/relay-domains'" + `)dnl
`

const sendmailSender = `dnl
dnl Mail from senders in a listed domain is rejected, at MAIL. Rebuild the access
dnl table, with your own entries, when the lists have changed:
dnl
dnl   cat /etc/mail/access {sendmail}/access.appendix |
dnl       makemap hash /etc/mail/access
dnl
dnl If sendmail.mc has FEATURE(access_db) already, leave this line out.
FEATURE(` + "`access_db'" + `)dnl
`
