//go:build race

package openapi

// raced says that the race detector watches: proofs then look at a part of the corpus, since it makes them ten times slower.
const raced = true
