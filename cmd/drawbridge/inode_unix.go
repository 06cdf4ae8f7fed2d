//go:build unix

package main

import (
	"io/fs"
	"syscall"
)

// inode tells a renamed file from the one that was there before.
func inode(info fs.FileInfo) uint64 {
	if s, ok := info.Sys().(*syscall.Stat_t); ok {
		return s.Ino
	}
	return 0
}
