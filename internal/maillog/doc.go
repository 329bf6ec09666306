// Package maillog reads refusals in the logs of mail servers: Postfix, sendmail, Exim,
// OpenSMTPD and rspamd, in files of their own, of syslog, or as journalctl -o json gives them.
//
//	line -> head (time, host, program) -> message -> Refusal
//
// Which program has written a line is told by its head. Much of a message is chosen by the
// client, the owner of its reverse zone, or a block list, and hardly anything is quoted: each
// reader says from which end it reads, and what it leaves out as ambiguous.
//
// What belongs together is joined: the warning about a host name with the refusal because of
// it (Postfix), the lines of a queue ID (sendmail) or a session (OpenSMTPD). What stands in
// two logs counts once. All memory for that is bounded.
package maillog
