package mailmaps

const eximHead = `# {generated}.
#
# For the configuration of Exim, at the beginning of the ACL for RCPT, of every MX
# host: mail for postmaster is accepted, all other mail is rejected with
# 554 5.7.1, for names below the domains too. With Debian's configuration, after
# acl_check_rcpt: in /etc/exim4/conf.d/acl/30_exim4-config_check_rcpt, or in
# exim4.conf.template:
#
#   .include {exim}/acl.conf
#
# A destination also needs routers.conf. A relay, such as a backup MX host, does
# not: its router for remote domains sends mail for postmaster to the MX hosts of
# lower preference. Do not add the domains to relay_to_domains for that: the ACL
# accepts what is to be accepted.
#
# Exim notices new tables by itself, and reads this file when it is reloaded. It
# reads a table from the beginning for each lookup: with many thousand domains,
# have exim_dbmbuild make a database of each table, and write dbm in place of
# lsearch in a copy of these lines.
`

const eximSender = `
  # Senders in a listed domain, or below one.
  deny    sender_domains = partial1()lsearch;{exim}/senders
          message        = {refusal}
`

const eximACL = `
  accept  domains        = lsearch;{exim}/domains
          local_parts    = postmaster : ^postmaster[+]

  deny    domains        = partial1()lsearch;{exim}/domains
          message        = $domain_data

`

const eximRouters = `# {generated}.
#
# For the configuration of Exim, as the first routers, of the MX hosts that accept
# mail: mail for postmaster is forwarded to the mailbox. With Debian's
# configuration, in a file such as /etc/exim4/conf.d/router/050_nullspf, or in
# exim4.conf.template after "begin routers":
#
#   .include {exim}/routers.conf
#
# The domains need not be in local_domains. A relay must not have these routers.

nullspf_postmaster:
  driver = redirect
  domains = lsearch;{exim}/domains
  local_parts = postmaster
  local_part_suffix = +*
  local_part_suffix_optional
  data = {mailbox}

nullspf_others:
  driver = redirect
  domains = lsearch;{exim}/domains
  allow_fail
  data = :fail: $domain_data

`
