// Package http1 sends small requests over plain HTTP/1.1 and reads the answers in the goroutine that asks.
//
//	request ─ small, plain, nothing special ─▶ a kept connection, or a new one ─ one write ─ one read ─▶ answer
//	        └ anything else ─▶ the transport behind it (https, long bodies, upgrades, proxies)
//
// net/http's transport has two goroutines for each connection and hands every request and every answer from one to the
// other; between two processes on one machine that is a third of what a call costs. Here nobody else takes part: the
// caller writes, waits and reads. The head of an answer is parsed here when it can be read in one way only; what is not
// plain is left to net/http.
package http1
