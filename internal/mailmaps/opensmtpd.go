package mailmaps

const opensmtpdDestination = `# {generated}.
#
# For smtpd.conf of the MX hosts that accept mail: mail for postmaster is forwarded
# to the mailbox, all other mail is rejected with 554 5.7.1, for names below the
# domains too; two labels below or more, OpenSMTPD rejects it with a text of its own.
# Before your own rules, and with the filter at each listener to which
# strangers connect:
#
#   include "{opensmtpd}/destination.conf"
#   listen on 192.0.2.25 filter nullspf
#
# Chains do not nest. To have filters of your own too, use a chain of your own which
# has these: {filters}.
# A rule of yours has to deliver or relay mail for the mailbox, {mailbox},
# from local.
#
# When the lists have changed:
#
#   for table in {tables} virtual; do smtpctl update table nullspf_$table; done
`

const opensmtpdRelay = `# {generated}.
#
# For smtpd.conf of a host that is not a destination of the domains, such as a backup
# MX host: mail for postmaster is relayed to the MX hosts of lower preference, all
# other mail is rejected with 554 5.7.1, for names below the domains too; two labels
# below or more, OpenSMTPD rejects it with a text of its own. Before your own rules, and with the filter at each listener to which strangers connect:
#
#   include "{opensmtpd}/relay.conf"
#   listen on 192.0.2.26 filter nullspf
#
# Chains do not nest. To have filters of your own too, use a chain of your own which
# has these: {filters}.
# The name of the host in smtpd must be the one in the MX records: it tells which of
# them is this host.
#
# When the lists have changed:
#
#   for table in {tables}; do smtpctl update table nullspf_$table; done
`

const opensmtpdTables = `table nullspf_domains file:{opensmtpd}/domains
table nullspf_postmasters file:{opensmtpd}/postmasters
table nullspf_refused file:{opensmtpd}/refused
`

const opensmtpdVirtual = `table nullspf_virtual file:{opensmtpd}/virtual
`

const opensmtpdSender = `table nullspf_senders file:{opensmtpd}/senders
filter nullspf_sender phase mail-from match mail-from <nullspf_senders> reject "{refusal}"
`

const opensmtpdFilters = `filter nullspf_postmaster phase rcpt-to match rcpt-to <nullspf_postmasters> bypass
filter nullspf_other phase rcpt-to match rcpt-to <nullspf_refused> reject "{refusal}"
filter nullspf chain { {filters} }
`

const opensmtpdAccept = `action nullspf expand-only virtual <nullspf_virtual>
match from any for domain <nullspf_domains> rcpt-to <nullspf_postmasters> action nullspf
match from any for domain <nullspf_domains> reject
`

const opensmtpdForward = `action nullspf relay backup
match from any for domain <nullspf_domains> rcpt-to <nullspf_postmasters> action nullspf
match from any for domain <nullspf_domains> reject
`
