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
//
// Later versions of the format have another digit at the end of the first word,
// and include that word in their checksum. So one damaged byte does not make a
// file of this version one of a later.
const (
	storeWord   = "NSPFZON"
	storeMagic  = storeWord + "1"
	storeHeader = len(storeMagic) + 4 + 4 + 4
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// errStored is wrapped with what is wrong with a file.
var errStored = errors.New("damaged copy of a zone")

// errLater: a later version of this program has written the file.
var errLater = errors.New("written by a later version of nullspfd, so it is left alone; run that version, or remove the file")

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

// checkHeader checks the header of a file of a size. The error wraps errStored,
// or is errLater for a file that may be of a later version: readStored knows.
func checkHeader(header []byte, size int64) error {
	switch {
	case len(header) < storeHeader || string(header[:len(storeWord)]) != storeWord:
		return fmt.Errorf("%w: it does not begin with %s", errStored, storeMagic)
	case header[len(storeWord)] > '1' && header[len(storeWord)] <= '9':
		return errLater
	case string(header[:len(storeMagic)]) != storeMagic:
		return fmt.Errorf("%w: it does not begin with %s", errStored, storeMagic)
	case int64(binary.LittleEndian.Uint32(header[12:])) != size-int64(storeHeader):
		return fmt.Errorf("%w: its size is not the one in its header", errStored)
	}
	return nil
}

// storedZone returns the name of the zone that begins behind the header.
func storedZone(file []byte) (wire.Name, error) {
	if len(file) < storeHeader {
		return "", errStored
	}
	name, _, err := wire.ReadName(file, storeHeader)
	return name, err
}

// readStored reads a zone as it stands in a file. The error wraps errStored, one
// of the builder, or errLater.
func readStored(file []byte, name wire.Name) (*zonestore.Zone, error) {
	err := checkHeader(file[:min(len(file), storeHeader)], int64(len(file)))
	intact := len(file) >= storeHeader && crc32.Checksum(file[12:], castagnoli) == binary.LittleEndian.Uint32(file[8:])
	switch {
	case errors.Is(err, errLater) && intact:
		return nil, fmt.Errorf("%w: its version is damaged", errStored)
	case err != nil:
		return nil, err
	case !intact:
		return nil, fmt.Errorf("%w: its checksum is not the one in its header", errStored)
	}
	count := binary.LittleEndian.Uint32(file[16:])
	stored, at, err := wire.ReadName(file, storeHeader)
	if err != nil || stored != name {
		return nil, fmt.Errorf("%w: it has another zone", errStored)
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
		return nil, fmt.Errorf("%w: more follows its last record", errStored)
	}
	return b.Build()
}
