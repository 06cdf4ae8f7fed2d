//go:build !unix

package http1

import "net"

// socket does not exist here: a connection that was closed meanwhile is found out by using it.
type socket struct{}

func newSocket(net.Conn) *socket { return nil }

func (*socket) exchange(_, _ []byte, _ bool) (int, int, error) { return 0, 0, errStale }
