package zones

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"strconv"

	"nullspf/internal/files"
)

// errLaterVersion says that a file of the output directory was written by a
// later version of nullspf, which knows more than this one: it is neither read
// nor replaced.
var errLaterVersion = errors.New("use that version of nullspf, or move the file away")

// checkVersion refuses a text that begins with a magic word and a version above
// the one that this program writes.
func checkVersion(text []byte, magic string, version int) error {
	rest, ok := bytes.CutPrefix(text, []byte(magic))
	if !ok {
		return nil
	}
	end := bytes.IndexAny(rest, "\t\n")
	if end < 0 {
		end = len(rest)
	}
	if n, err := strconv.Atoi(string(rest[:end])); err == nil && n > version {
		return fmt.Errorf("written by a later version of nullspf, in version %d of the format; %w", n, errLaterVersion)
	}
	return nil
}

// checkParkedVersion looks at the file of parked zones, if there is one.
func checkParkedVersion(dir string) error {
	path := filepath.Join(dir, parkedFile)
	f, _, err := files.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	head, err := bufio.NewReader(io.LimitReader(f, 256)).ReadBytes('\n')
	if err != nil && err != io.EOF {
		return err
	}
	if err := checkVersion(head, parkedMagic, parkedVersion); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}
