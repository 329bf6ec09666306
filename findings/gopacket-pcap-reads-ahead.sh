#!/usr/bin/env bash
# gopacket 1.7.7: pcapgo.NewReader reads packets too, up to 4096 bytes, when it opens a capture.
#
# Expected: 24 bytes, the header of the file, of which its documentation says that it is read
#           then, and each packet as it is asked for: so the place in the file is that of the
#           next packet.
# Seen:     all of a small file.
# Matters:  for who goes on in a capture that has grown, by where the last whole packet ended.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
cat >go.mod <<'END'
module finding

go 1.25

require github.com/gopacket/gopacket v1.7.7
END
cat >main.go <<'END'
// Prints how much of a capture is read when it was opened, and after one packet.
package main

import (
	"bytes"
	"fmt"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"
)

func main() {
	var file bytes.Buffer
	w := pcapgo.NewWriter(&file)
	if err := w.WriteFileHeader(65535, layers.LinkTypeRaw); err != nil {
		panic(err)
	}
	for range 3 {
		info := gopacket.CaptureInfo{Timestamp: time.Unix(1, 0), CaptureLength: 100, Length: 100}
		if err := w.WritePacket(info, make([]byte, 100)); err != nil {
			panic(err)
		}
	}
	size := file.Len()
	r, err := pcapgo.NewReader(&file)
	if err != nil {
		panic(err)
	}
	opened := size - file.Len()
	if _, _, err := r.ReadPacketData(); err != nil {
		panic(err)
	}
	fmt.Printf("%d, %d of %d\n", opened, size-file.Len(), size)
}
END
go mod tidy >log 2>&1 || { cat log; exit 2; }
seen=$(go run .)

echo "gopacket $(go list -m -f '{{.Version}}' github.com/gopacket/gopacket), bytes read of a capture of three packets: opened, and after one packet"
echo "expected: 24, 140 of 372"
echo "seen:     $seen"
[ "$seen" = '372, 372 of 372' ]
