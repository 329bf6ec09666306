// Package spftrack compiles SPF records whose evaluation makes a receiver ask
// a tracking zone about the mail that it checks, expands the names that it
// asks for, and reads such names back.
//
// A [Layout] says what a record makes receivers send. In the default, Track,
// with the tracking zone _spf.example.net, the record of every domain is
//
//	v=spf1 -exists:%{i}.%{v}.CL.%{d}.FD.1._spf.example.net -all exp=%{h}.HE.%{l}.LP.%{i}.%{v}.CL.%{d}.FD.2._spf.example.net
//
// A receiver of mail from user@shop.example, sent by 192.0.2.7 that said EHLO
// mail.example.org, then asks for
//
//	192.0.2.7.in-addr.CL.shop.example.FD.1._spf.example.net                             A
//	mail.example.org.HE.user.LP.192.0.2.7.in-addr.CL.shop.example.FD.2._spf.example.net TXT
//
// [Queries] foretells these names; a [Parser] turns each back into client
// address, sender, forged domain and HELO. CL (client), FD (forged domain), LP
// (local part), HE (HELO) and FR (from) are the layout words.
//
// All that stands in such a name can be chosen by whoever asks: a forger
// chooses local part and HELO, and anyone may send any query. Parsing
// therefore never fails; it flags what it could not read or decide. Texts of
// this package that come out of a name hold raw bytes: use [Printable] before
// they reach a terminal.
//
// RFC 7208 is SPF; its section 7 is the macro language, all of which this
// package knows. The evaluation of a record (check_host) is not part of it.
package spftrack
