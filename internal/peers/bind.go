package peers

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"net/netip"
)

// bindConf is the configuration of BIND. The limits of transfers are raised:
// with the ones that named has, a hundred zones take five seconds.
const bindConf = `options {
	directory "%[1]s";
	pid-file "%[2]s/named.pid";
	session-keyfile "%[2]s/session.key";
	managed-keys-directory "%[2]s";
	listen-on port %[4]d { %[3]s; };
	listen-on-v6 port %[4]d { %[5]s; };
	recursion no;
	dnssec-validation no;
	empty-zones-enable no;
	notify-delay 0;
	notify-rate 1000;
	startup-notify-rate 1000;
	serial-query-rate 1000;
	transfers-in 100;
	transfers-out 100;
	transfers-per-ns 100;
%[6]s
};
include "%[2]s/rndc.key";
controls { inet %[7]s port %[8]d allow { %[7]s; } keys { "rndc"; }; };
%[9]s`

func (s *Server) configureBIND() ([]string, error) {
	address := s.Address.Addr()
	control, err := FreePort(address)
	if err != nil {
		return nil, err
	}
	secret := make([]byte, 32)
	_, _ = rand.Read(secret) // never fails
	key := fmt.Sprintf("key \"rndc\" { algorithm hmac-sha256; secret %q; };\n", base64.StdEncoding.EncodeToString(secret))
	if _, err := s.write("rndc.key", key); err != nil {
		return nil, err
	}
	rndc, err := s.write("rndc.conf", key+fmt.Sprintf("options { default-key \"rndc\"; default-server %s; default-port %d; };\n", address, control.Port()))
	if err != nil {
		return nil, err
	}
	v4, v6 := oneFamily(address)
	conf, err := s.write("named.conf", fmt.Sprintf(bindConf, s.WorkDir, s.Dir, v4, s.Address.Port(), v6, s.Options,
		address, control.Port(), s.includes(`include "`, `";`)))
	if err != nil {
		return nil, err
	}
	s.control = []string{"rndc", "-c", rndc}
	return []string{"named", "-g", "-n", "1", "-c", conf}, nil
}

// oneFamily returns the address for the list of its own address family, and
// "none" for the other one.
func oneFamily(a netip.Addr) (v4, v6 string) {
	if a.Is4() {
		return a.String(), "none"
	}
	return "none", a.String()
}
