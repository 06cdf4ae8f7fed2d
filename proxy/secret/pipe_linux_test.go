package secret

import (
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// operations.md K1: what is no file is refused at once; a pipe without a writer would be waited for without end.
func TestAPipeIsNoKeysFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys.json")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Skip(err)
	}
	told := make(chan error, 1)
	go func() { _, err := readKeyring(path); told <- err }()
	select {
	case err := <-told:
		if err == nil || !strings.Contains(err.Error(), "is not a file") {
			t.Errorf("= %v", err)
		}
	case <-time.After(5 * time.Second):
		t.Error("still waiting for a writer")
	}
}
