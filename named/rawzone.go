package named

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
	"os"
)

const (
	// maxRaw is how much of a zone file in raw format is read for the SOA record,
	// which is among the records of the apex, the first ones.
	maxRaw = 1 << 20
	// rawHeader is the length of the header of version 1, rawRRset that of what
	// stands before the owner name of an RRset.
	rawHeader, rawRRset = 24, 18
	typeSOA             = 6 // RFC 1035 section 3.2.2
)

var errRaw = errors.New("not a zone file in raw format")

// rawSerial reads the serial number from a zone file in BIND's raw format, in
// which BIND keeps the zones that it signs (lib/dns/masterdump.c):
//
//	file    format=2, version=1, time, flags, serial number of the unsigned zone,
//	        time of the transfer, 32 bits each; then RRsets
//	RRset   length of all of it (32), class (16), type (16), type covered (16),
//	        TTL (32), number of records (32); then the owner name and the RDATA of
//	        each record, both after their length (16)
//
// Numbers are big-endian, names not compressed.
func rawSerial(file string) (uint32, error) {
	f, err := os.Open(file)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	r := bufio.NewReader(io.LimitReader(f, maxRaw))
	head := make([]byte, rawHeader)
	if _, err := io.ReadFull(r, head); err != nil {
		return 0, errRaw
	}
	if binary.BigEndian.Uint32(head) != 2 || binary.BigEndian.Uint32(head[4:]) != 1 {
		return 0, errRaw
	}
	for {
		head := head[:rawRRset]
		if _, err := io.ReadFull(r, head); err != nil {
			return 0, errRaw
		}
		rest := int64(binary.BigEndian.Uint32(head)) - rawRRset
		if rest < 0 || rest > maxRaw {
			return 0, errRaw
		}
		if binary.BigEndian.Uint16(head[6:]) != typeSOA {
			if _, err := io.CopyN(io.Discard, r, rest); err != nil {
				return 0, errRaw
			}
			continue
		}
		rrset := make([]byte, rest)
		// The serial number is the first of five numbers at the end.
		const numbers = 5 * 4
		if _, err := io.ReadFull(r, rrset); err != nil || len(rrset) < numbers {
			return 0, errRaw
		}
		return binary.BigEndian.Uint32(rrset[len(rrset)-numbers:]), nil
	}
}
