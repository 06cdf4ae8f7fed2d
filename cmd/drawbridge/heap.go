package main

// heapFloor is what is allocated at least between two collections, in pieces: memory that was used before is cleared when
// it is given out again, and a piece that happens to contain some becomes real alone.
const (
	heapFloor = 32 << 20
	heapPiece = 1 << 20
)

// newHeapFloor returns memory that is never touched and so never becomes real. The collector runs when the heap has
// doubled; the live heap of an idle gateway is a few megabytes, so that under load it would run fifty times a second and
// take a tenth of all time. Counting this as live makes it wait for that much more. Whoever tunes
// the collector themselves (GOGC, GOMEMLIMIT) gets none.
func newHeapFloor(env func(string) (string, bool)) [][]byte {
	for _, name := range []string{"GOGC", "GOMEMLIMIT"} {
		if _, set := env(name); set {
			return nil
		}
	}
	floor := make([][]byte, heapFloor/heapPiece)
	for i := range floor {
		floor[i] = make([]byte, heapPiece)
	}
	return floor
}
