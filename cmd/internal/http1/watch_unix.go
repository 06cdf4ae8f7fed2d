//go:build unix

package http1

import (
	"errors"
	"net"
	"syscall"
)

// watch returns a look at the socket that takes nothing from it: it waits for bytes, or for the end, and reports whether
// the other side may still be there. nil: there is no socket to look at.
func watch(nc net.Conn) func() (open bool) {
	sc, ok := nc.(syscall.Conn)
	if !ok {
		return nil
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return nil
	}
	return func() bool {
		var n int
		var fault error
		err := raw.Read(func(fd uintptr) bool {
			var b [1]byte
			for {
				n, _, fault = syscall.Recvfrom(int(fd), b[:], syscall.MSG_PEEK)
				if fault != syscall.EINTR { //nolint:errorlint // a syscall returns the number itself
					return fault != syscall.EAGAIN //nolint:errorlint // as above
				}
			}
		})
		if err != nil { // the wait was cut short: by a deadline, which says nothing, or because we closed the connection
			return !errors.Is(err, net.ErrClosed)
		}
		return fault == nil && n > 0
	}
}
