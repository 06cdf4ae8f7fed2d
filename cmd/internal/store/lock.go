package store

import (
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
)

// lockDatabase makes sure that one process has the database (operations.md D4): SQLite itself would let a second one in,
// whose caches and counters then know nothing of the first. The lock is a file of its own, because closing any other
// handle of the database file would drop SQLite's locks.
func lockDatabase(path string) (io.Closer, error) {
	f, err := os.OpenFile(path+".lock", os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock database: %w", err)
	}
	taken, err := lockFile(f)
	if err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("lock database: %w", err)
	}
	if !taken {
		defer f.Close()
		return nil, fmt.Errorf("database is in use by another drawbridge (pid %s)", holder(f))
	}
	err = f.Truncate(0)
	if err == nil {
		_, err = f.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	}
	if err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("lock database: %w", err)
	}
	return f, nil // the file stays: removing it would let two processes lock two files of the same name
}

func holder(f io.ReaderAt) string {
	text := make([]byte, 20)
	n, _ := f.ReadAt(text, 0)
	pid := strings.TrimSpace(string(text[:n]))
	if _, err := strconv.Atoi(pid); err != nil {
		return "unknown"
	}
	return pid
}
