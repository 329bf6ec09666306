package main

import "nullspf/internal/mtas"

const (
	resolver = "192.0.2.53"
	injector = "198.51.100.8"
)

// sender is a mail server that sends.
type sender struct {
	kind    mtas.Kind
	address string
	version string // a command that prints it
	files   map[string]string
	setup   string
}

// senders have the configuration of their package, and relay what comes from the
// injector.
var senders = []sender{
	{
		kind: mtas.Postfix, address: "198.51.100.11", version: "postconf -dh mail_version",
		files: map[string]string{"/etc/postfix/main.cf": `compatibility_level = 3.6
myhostname = postfix.example.com
mydestination = localhost
mynetworks = ` + injector + `
alias_maps =
`},
	},
	{
		kind: mtas.Exim, address: "198.51.100.12", version: "exim4 -bV | sed -n 's/^Exim version \\([^ ]*\\).*/\\1/p'",
		files: map[string]string{"/etc/exim4/update-exim4.conf.conf": `dc_eximconfig_configtype='internet'
dc_other_hostnames='exim.example.com'
dc_local_interfaces=''
dc_relay_nets='` + injector + `'
dc_use_split_config='true'
dc_localdelivery='mail_spool'
`},
		setup: "update-exim4.conf",
	},
	{
		kind: mtas.OpenSMTPD, address: "198.51.100.13", version: "smtpd -h 2>&1 | sed -n 's/^version: OpenSMTPD \\(.*\\)/\\1/p'",
		files: map[string]string{"/etc/smtpd.conf": `listen on 198.51.100.13
action "send" relay
match from src ` + injector + ` for any action "send"
`},
	},
	{
		kind: mtas.Sendmail, address: "198.51.100.14", version: "/usr/libexec/sendmail/sendmail -d0.1 -bt </dev/null | sed -n 's/^Version \\(.*\\)/\\1/p'",
		files: map[string]string{
			"/etc/mail/sendmail.mc": "divert(0)dnl\ninclude(`/usr/share/sendmail/cf/m4/cf.m4')dnl\nOSTYPE(`debian')dnl\nDOMAIN(`debian-mta')dnl\n" +
				"undefine(`confHOST_STATUS_DIRECTORY')dnl\ndefine(`confDOMAIN_NAME', `sendmail.example.com')dnl\n" +
				"FEATURE(`no_default_msa')dnl\nDAEMON_OPTIONS(`Family=inet, Name=MTA, Port=smtp')dnl\nFEATURE(`access_db', , `skip')dnl\n" +
				"MAILER(`local')dnl\nMAILER(`smtp')dnl\n",
			"/etc/mail/access": "Connect:" + injector + "\tRELAY\n",
		},
		setup: "m4 /etc/mail/sendmail.mc >/etc/mail/sendmail.cf; makemap hash /etc/mail/access </etc/mail/access; : >/etc/mail/aliases; /usr/libexec/sendmail/sendmail -bi",
	},
}
