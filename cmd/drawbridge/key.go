package main

import "hash/crc32"

// checksum is CRC-32 of the text as six base62 characters, of which the last four are taken (operations.md P3).
func checksum(text string) string {
	sum := crc32.ChecksumIEEE([]byte(text))
	out := []byte("0000")
	for i := len(out) - 1; i >= 0; i-- {
		out[i] = base62[sum%62]
		sum /= 62
	}
	return string(out)
}
