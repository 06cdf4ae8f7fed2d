// Package http1 serves plain HTTP/1.1 requests and leaves everything else to net/http.
//
//	accept ─▶ one goroutine a connection
//	            read ─▶ is the head plain? ─ yes ─▶ handler ─▶ one write ─▶ read …
//	                          │ no (chunked, upgrade, expect, 1.0, odd spelling, long head)
//	                          └─▶ net/http, with the bytes as they came; it keeps the connection
//
// A request through the gateway costs net/http's server some 19 µs of CPU, of which six are the two system calls: for
// each request it starts a goroutine that waits for the caller to leave, moves deadlines to and fro, sorts and clones
// headers. Here a caller that has left is looked for only when a request takes longer than a moment, deadlines are kept
// by one sweep for all connections, and a head that is anything but ordinary is not interpreted at all. That last rule is
// what makes a second parser safe: it may refuse, but what it takes it must take exactly as net/http would, which a fuzz
// test compares.
package http1
