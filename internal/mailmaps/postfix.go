package mailmaps

const postfixDestination = `# {generated}.
#
# For main.cf of the MX hosts that accept mail: mail for postmaster is forwarded
# to the mailbox, all other mail is rejected with 554 5.7.1. Rebuild the tables
# when the lists have changed; Postfix notices new tables by itself:
#
#   cd {postfix} && postmap recipient_access virtual_alias_domains virtual
#
# If main.cf sets these parameters already, add the values given here:
# - virtual_alias_domains: if main.cf does not set it, but the tables of
#   virtual_alias_maps contain domains, write $virtual_alias_maps before the new
#   value. The domains must not be in mydestination, virtual_mailbox_domains or
#   relay_domains too. Do not use virtual_mailbox_domains instead: with an empty
#   virtual_mailbox_maps, Postfix accepts mail for every recipient in them.
# - smtpd_recipient_restrictions: put check_recipient_access first, before
#   anything that permits. For postmaster, the restrictions after it still apply.
#
# - smtpd_relay_restrictions: put check_recipient_access before
#   defer_unauth_destination.
#
# Names below the domains are not destinations of this host. check_recipient_access
# rejects mail for them with the same text, because the default of
# parent_domain_matches_subdomains has smtpd_access_maps. Without it in
# smtpd_relay_restrictions, whose default defers such mail with 454, senders would
# try again for days.
nullspf_tables = $default_database_type:{postfix}
virtual_alias_domains = $nullspf_tables/virtual_alias_domains
virtual_alias_maps = $nullspf_tables/virtual
smtpd_relay_restrictions = permit_mynetworks, permit_sasl_authenticated,
    check_recipient_access $nullspf_tables/recipient_access, defer_unauth_destination
smtpd_recipient_restrictions = check_recipient_access $nullspf_tables/recipient_access
`

const postfixSender = `#
# Mail from senders in a listed domain, or below one, is rejected, at RCPT. If
# main.cf sets smtpd_sender_restrictions already, put check_sender_access first.
# Rebuild this table too: postmap sender_access
smtpd_sender_restrictions = check_sender_access $nullspf_tables/sender_access
`

const postfixRelay = `# {generated}.
#
# For main.cf of a host that is not a destination of the domains, such as a backup
# MX host: mail for postmaster is relayed to the MX hosts of lower preference, all
# other mail is rejected with 554 5.7.1 and never bounced to forged senders.
# Rebuild the tables when the lists have changed; Postfix notices new tables by
# itself:
#
#   cd {postfix} && postmap recipient_access relay_domains relay_recipients
#
# If main.cf sets these parameters already, add the values given here:
# - relay_recipient_maps: if main.cf does not set it, but has other
#   relay_domains, leave the parameter out: it would reject all mail for the
#   others. recipient_access works without it.
# - smtpd_recipient_restrictions: put check_recipient_access first, before
#   anything that permits. For postmaster, the restrictions after it still apply.
#
# Postfix must know all addresses that the MX records give for this host, or mail
# loops: behind address translation, list them in proxy_interfaces. To send mail
# for postmaster straight to the mailbox, use destination.cf here too.
#
# Names below the domains are rejected with the same text, because the default
# of parent_domain_matches_subdomains has smtpd_access_maps.
nullspf_tables = $default_database_type:{postfix}
relay_domains = $nullspf_tables/relay_domains
relay_recipient_maps = $nullspf_tables/relay_recipients
smtpd_recipient_restrictions = check_recipient_access $nullspf_tables/recipient_access
`
