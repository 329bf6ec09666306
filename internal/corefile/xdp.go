package corefile

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"nullspf/internal/nameserver"
	"nullspf/internal/value"
)

// maxInterfaceName is the length of the longest name of an interface.
const maxInterfaceName = 15

// xdp INTERFACE..., or xdp INTERFACE... { ... }
func readXDP(s *statements) error {
	for s.Next() {
		position := s.position()
		names := s.RemainingArgs()
		if len(names) == 0 {
			return errors.New("write the names of Ethernet interfaces, such as eth0")
		}
		var common nameserver.XDP
		if err := xdpSettings.read(s, &common); err != nil {
			return err
		}
		for _, name := range names {
			if len(name) > maxInterfaceName || strings.ContainsAny(name, "/: ") || name == "." || name == ".." {
				return fmt.Errorf("%q is not the name of an interface; \"ip link\" shows them", name)
			}
			if slices.ContainsFunc(s.block.XDP, func(x nameserver.XDP) bool { return x.Interface == name }) {
				return fmt.Errorf("%s is given twice", name)
			}
			s.block.XDP = append(s.block.XDP, nameserver.XDP{Position: position, Interface: name, VLANs: common.VLANs})
		}
	}
	return nil
}

var xdpSettings = settings[*nameserver.XDP]{
	{name: "vlan", set: setVLANs},
}

// maxVLAN is the largest ID (IEEE 802.1Q).
const maxVLAN = 4094

func setVLANs(x *nameserver.XDP, args []string) error {
	for _, arg := range args {
		id, err := value.ParseCount(arg, maxVLAN)
		if err != nil {
			return err
		}
		x.VLANs = append(x.VLANs, uint16(id))
	}
	return nil
}
