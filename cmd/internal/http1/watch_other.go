//go:build !unix

package http1

import "net"

// watch cannot look at sockets here: every connection is net/http's.
func watch(net.Conn) func() (open bool) { return nil }
