// Package control lets the operator's tool ask a running nameserver for its
// state and tell it what to do, over a unix socket whose file permissions say
// who may.
//
// The protocol is HTTP with JSON:
//
//	GET  /status                         a Status
//	GET  /zones?kind=K&state=S&failing=1 a Zone a line, then {"end":N}
//	GET  /zone?name=NAME                 a ZoneDetail
//	GET  /text?name=NAME                 the zone in the form of a zone file
//	POST /reload                         {} when the new configuration is served
//	POST /retransfer?name=NAME           {} when the transfer is scheduled
//	POST /notify?name=NAME               {} when the notifications are scheduled
//
// An error is {"error":"why"}: with status 404 the zone is unknown, with 409
// the request does not fit it, with 422 the configuration was not loaded, with
// 503 too many requests are under way. In a stream it is the last line.
//
// [Listen] and [NewServer] are the nameserver's side, [Client] the tool's.
// Neither holds a list of zones as a whole.
package control
