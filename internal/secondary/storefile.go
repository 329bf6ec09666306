package secondary

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"

	"nullspf/internal/wire"
	"nullspf/internal/zonestore"
)

// A zone in a file, numbers little-endian:
//
//	0          8         12       16        20
//	+----------+---------+--------+---------+-----------+------------------+
//	| NSPFZON1 | CRC-32C | bytes  | records | zone name | records, RFC 1035|
//	+----------+---------+--------+---------+-----------+------------------+
//	                     |<--------------- what the CRC is of ------------>|
//
// bytes is the size of zone name and records. The file's modification time is
// that of the last successful refresh.
const (
	storeMagic  = "NSPFZON1"
	storeHeader = len(storeMagic) + 4 + 4 + 4
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// errStored is wrapped with what is wrong with a file.
var errStored = errors.New("no whole zone")

// appendStored appends a zone as it stands in a file.
func appendStored(dst []byte, z *zonestore.Zone) []byte {
	at := len(dst)
	dst = append(dst, storeMagic...)
	dst = append(dst, make([]byte, storeHeader-len(storeMagic))...)
	dst = append(dst, z.Name()...)
	for r := range z.Records {
		dst = r.Append(dst)
	}
	sealStored(dst[at:], uint32(z.Count()))
	return dst
}

// sealStored fills in the header.
func sealStored(file []byte, records uint32) {
	binary.LittleEndian.PutUint32(file[12:], uint32(len(file)-storeHeader))
	binary.LittleEndian.PutUint32(file[16:], records)
	binary.LittleEndian.PutUint32(file[8:], crc32.Checksum(file[12:], castagnoli))
}

// readStored reads a zone as it stands in a file. The error wraps errStored or
// one of the builder.
func readStored(file []byte, name wire.Name) (*zonestore.Zone, error) {
	switch {
	case len(file) < storeHeader || string(file[:len(storeMagic)]) != storeMagic:
		return nil, fmt.Errorf("%w: it does not begin with %s", errStored, storeMagic)
	case uint64(binary.LittleEndian.Uint32(file[12:])) != uint64(len(file)-storeHeader):
		return nil, fmt.Errorf("%w: its size is not the one in its header", errStored)
	case crc32.Checksum(file[12:], castagnoli) != binary.LittleEndian.Uint32(file[8:]):
		return nil, fmt.Errorf("%w: its checksum is not the one in its header", errStored)
	}
	count := binary.LittleEndian.Uint32(file[16:])
	stored, at, err := wire.ReadName(file, storeHeader)
	if err != nil || stored != name {
		return nil, fmt.Errorf("%w: it is of another zone", errStored)
	}
	b := zonestore.NewBuilder(name)
	for range count {
		var r wire.Record
		if r, at, err = wire.ReadRecord(file, at); err != nil {
			return nil, fmt.Errorf("%w: %w", errStored, err)
		}
		if err := b.Add(r); err != nil {
			return nil, err
		}
	}
	if at != len(file) {
		return nil, fmt.Errorf("%w: something follows its records", errStored)
	}
	return b.Build()
}
