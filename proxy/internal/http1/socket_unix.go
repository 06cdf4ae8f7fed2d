//go:build unix

package http1

import (
	"io"
	"net"
	"os"
	"syscall"
)

// socket is the part of a connection below net.Conn, where a request is sent and its answer awaited in one step: look,
// write, wait, read. net.Conn reads once in vain before it waits, and locks for each step.
type socket struct {
	nc   net.Conn
	raw  syscall.RawConn
	step func(fd uintptr) bool // turn, made once

	// Of the exchange under way:
	out   []byte // what is left to write
	in    []byte // where to read to
	fresh bool   // not used before: nobody had a chance to close it
	asked bool   // looked at, and written to
	wrote int
	read  int
	err   error
}

// newSocket returns nil where a connection has no socket of its own.
func newSocket(nc net.Conn) *socket {
	sc, ok := nc.(syscall.Conn)
	if !ok {
		return nil
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return nil
	}
	s := &socket{nc: nc, raw: raw}
	s.step = s.turn
	return s
}

// exchange writes out and reads the first bytes that come back. A connection that was used before is looked at first:
// errStale says that the other side has closed it, or has spoken, and that nothing was written.
//
// No wake-up is lost: whether the socket can be read is forgotten before the first turn, which looks at a used connection
// before it writes, and at a fresh one after: there a server may have answered whoever connects.
func (s *socket) exchange(out, in []byte, fresh bool) (wrote, read int, err error) {
	s.out, s.in, s.fresh, s.asked = out, in, fresh, false
	s.wrote, s.read, s.err = 0, 0, nil
	if err = s.raw.Read(s.step); err == nil {
		err = s.err
	}
	wrote, read = s.wrote, s.read
	s.out, s.in = nil, nil
	if err != nil || read > 0 {
		return wrote, read, err
	}
	if wrote < len(out) { // it does not fit into the socket's buffer at once
		n, err := s.nc.Write(out[wrote:])
		if wrote += n; err != nil {
			return wrote, 0, err
		}
	}
	read, err = s.nc.Read(in)
	return wrote, read, err
}

// turn is called when the socket may be readable, first of all at once; false: wait until it is.
func (s *socket) turn(fd uintptr) bool {
	if !s.asked {
		s.asked = true
		if !s.fresh && !quiet(int(fd)) {
			s.err = errStale
			return true
		}
		if s.wrote, s.err = s.write(int(fd)); s.err != nil || s.wrote < len(s.out) {
			return true
		}
		if !s.fresh {
			return false
		}
	}
	n, err := ignoringInterrupts(syscall.Read, int(fd), s.in)
	switch {
	case err == syscall.EAGAIN: //nolint:errorlint // a syscall returns the number itself
		return false
	case err != nil:
		s.err = s.fault("read", err)
	case n == 0:
		s.err = io.EOF
	default:
		s.read = n
	}
	return true
}

func (s *socket) write(fd int) (int, error) {
	n, err := ignoringInterrupts(syscall.Write, fd, s.out)
	switch {
	case err == syscall.EAGAIN: //nolint:errorlint // a syscall returns the number itself
		return 0, nil
	case err != nil:
		return 0, s.fault("write", err)
	}
	return n, nil
}

func (s *socket) fault(op string, err error) error {
	return &net.OpError{Op: op, Net: "tcp", Source: s.nc.LocalAddr(), Addr: s.nc.RemoteAddr(), Err: os.NewSyscallError(op, err)}
}

// quiet is one read that does not wait. Nothing to read is what a live, silent connection has.
func quiet(fd int) bool {
	var b [1]byte
	_, err := ignoringInterrupts(syscall.Read, fd, b[:])
	return err == syscall.EAGAIN || err == syscall.EWOULDBLOCK //nolint:errorlint // a syscall returns the number itself
}

func ignoringInterrupts(call func(int, []byte) (int, error), fd int, b []byte) (int, error) {
	for {
		if n, err := call(fd, b); err != syscall.EINTR { //nolint:errorlint // a syscall returns the number itself
			return n, err
		}
	}
}
