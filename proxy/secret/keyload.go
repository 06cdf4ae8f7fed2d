package secret

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"time"
)

// LoadKeyring reads the keys file, or makes it when there is none: with mode 0600, whole or not at all, and never over one
// that another process made meanwhile (operations.md K1, oauth.md §8.4). A file that cannot be used is an error and is
// never replaced: it may be the only copy of the keys.
func LoadKeyring(path string, now time.Time) (ring *Keyring, created bool, err error) {
	ring, err = readKeyring(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return ring, false, err
	}
	if ring, err = NewKeyring(now); err != nil {
		return nil, false, err
	}
	switch err := ring.create(path); {
	case errors.Is(err, fs.ErrExist): // another process was faster; its keys count
		ring, err = readKeyring(path)
		return ring, false, err
	case err != nil:
		return nil, false, fmt.Errorf("make keys file %s: %w", path, err)
	}
	return ring, true, nil
}

func readKeyring(path string) (*Keyring, error) {
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		return nil, fmt.Errorf("keys file %s is not a file", path) // opening a pipe would wait for a writer without end
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read keys file: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("read keys file: %w", err)
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("keys file %s is not a file", path)
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 && runtime.GOOS != "windows" { // Windows has no such bits
		return nil, fmt.Errorf("keys file is readable by others (mode %04o): chmod 600 %s", mode, path)
	}
	data, err := io.ReadAll(io.LimitReader(f, maxKeysFile+1))
	if err != nil {
		return nil, fmt.Errorf("read keys file: %w", err)
	}
	ring, err := ParseKeyring(data)
	if err != nil {
		return nil, fmt.Errorf("keys file %s: %w", path, err)
	}
	return ring, nil
}

// create writes a temporary file beside path, forces it to the disk and gives it the name only when that is free.
func (k *Keyring) create(path string) error {
	data, err := k.marshal()
	if err != nil {
		return err
	}
	dir := filepath.Dir(path)
	temporary, err := os.CreateTemp(dir, ".keys-*") // mode 0600
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(temporary.Name()) }() // gone already after a rename
	_, err = temporary.Write(data)
	if err == nil {
		err = temporary.Sync()
	}
	if closing := temporary.Close(); err == nil {
		err = closing
	}
	if err != nil {
		return err
	}
	if err := nameExclusively(temporary.Name(), path); err != nil {
		return err
	}
	return syncDir(dir)
}

// nameExclusively renames without replacing. A hard link does that in one step; where the file system has none, an empty
// file takes the name first.
func nameExclusively(temporary, path string) error {
	err := os.Link(temporary, path)
	if err == nil || errors.Is(err, fs.ErrExist) {
		return err
	}
	placeholder, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	if err := placeholder.Close(); err != nil {
		return err
	}
	return os.Rename(temporary, path)
}

// syncDir makes the new name itself survive a crash.
func syncDir(dir string) error {
	if runtime.GOOS == "windows" { // directories cannot be opened for that
		return nil
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
