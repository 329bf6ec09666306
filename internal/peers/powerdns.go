package peers

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// powerdnsConf is the configuration of a PowerDNS that sees changes of zones at once.
const powerdnsConf = `launch=%[1]s
local-address=%[2]s
local-port=%[3]d
socket-dir=%[4]s
daemon=no
guardian=no
disable-syslog=yes
cache-ttl=0
negquery-cache-ttl=0
query-cache-ttl=0
domain-metadata-cache-ttl=0
%[5]s
zone-cache-refresh-interval=0
`

// powerdnsSchema makes the tables of PowerDNS in a database of SQLite.
const powerdnsSchema = "/usr/share/pdns-backend-sqlite3/schema/schema.sqlite3.sql"

// configurePowerDNS: a file of Include is a list of zones in words of BIND, or
// statements of SQL, which are read into a database of SQLite.
func (s *Server) configurePowerDNS() ([]string, error) {
	var backends, statements []string
	own := ""
	for _, path := range s.Include {
		switch ext := filepath.Ext(path); ext {
		case ".sql", ".key":
			statements = append(statements, ".read '"+path+"'")
		default:
			backends = append(backends, "bind")
			own += "bind-config=" + path + "\n"
			s.control = []string{"pdns_control", "--config-dir=" + s.Dir}
		}
	}
	if len(statements) > 0 {
		database := filepath.Join(s.Dir, "pdns.sqlite3")
		backends = append(backends, "gsqlite3")
		own += "gsqlite3-database=" + database
		sqlite := []string{"sqlite3", "-bail", database}
		if s.control == nil {
			s.control = sqlite
		}
		if _, err := os.Stat(database); errors.Is(err, fs.ErrNotExist) {
			statements = append([]string{".read " + powerdnsSchema}, statements...)
		}
		if out, err := exec.Command(sqlite[0], append(sqlite[1:], statements...)...).CombinedOutput(); err != nil {
			return nil, fmt.Errorf("peers: sqlite3: %w\n%s", err, out)
		}
	}
	if len(backends) == 0 {
		return nil, errors.New("peers: PowerDNS needs a list of zones or statements of SQL")
	}
	_, err := s.write("pdns.conf", fmt.Sprintf(powerdnsConf, strings.Join(backends, ","),
		s.Address.Addr(), s.Address.Port(), s.Dir, s.Options+"\n"+own))
	if err != nil {
		return nil, err
	}
	return []string{"pdns_server", "--config-dir=" + s.Dir}, nil
}
