//go:build race

package tokens

const raceDetector = true // makes sync.Pool forget on purpose, and everything ten times slower
