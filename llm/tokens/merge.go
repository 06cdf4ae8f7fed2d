package tokens

import "sync"

// smallPiece is up to where scanning for the best pair beats a heap.
const smallPiece = 64

// keptScratch is the longest piece whose working memory is kept for the next one; that of a giant is given back.
const keptScratch = 64 << 10

// pieceTokens returns how many tokens a piece is: starting from single bytes, the neighbours whose concatenation has the
// lowest rank are merged, the leftmost first, until no concatenation is a token.
func (v *vocabulary) pieceTokens(piece string) int {
	switch {
	case len(piece) == 1 || v.rank(piece) != noRank:
		return 1
	case len(piece) <= smallPiece:
		return v.mergeSmall(piece)
	default:
		return v.mergeLarge(piece)
	}
}

// mergeSmall is O(n²) over an array on the stack. Part i is piece[starts[i]:starts[i+1]]; ranks[i] is that of parts i
// and i+1 together.
func (v *vocabulary) mergeSmall(piece string) int {
	var starts [smallPiece + 1]uint8
	var ranks [smallPiece + 1]uint32
	parts := len(piece)
	for i := range parts {
		starts[i], ranks[i] = uint8(i), noRank
		if i+1 < parts {
			ranks[i] = v.pairs[int(piece[i])<<8|int(piece[i+1])]
		}
	}
	starts[parts] = uint8(len(piece))
	for {
		best, at := noRank, -1
		for i, r := range ranks[:parts-1] {
			if r < best {
				best, at = r, i
			}
		}
		if at < 0 {
			return parts
		}
		copy(starts[at+1:parts], starts[at+2:parts+1])
		copy(ranks[at+1:parts-1], ranks[at+2:parts])
		parts--
		ranks[at] = noRank
		if at+1 < parts {
			ranks[at] = v.rank(piece[starts[at]:starts[at+2]])
		}
		if at > 0 {
			ranks[at-1] = v.rank(piece[starts[at-1]:starts[at+1]])
		}
		if parts == 1 {
			return 1
		}
	}
}

// scratch is the working memory of mergeLarge: a linked list of parts by the offset of their first byte, and a heap of
// candidate pairs. A candidate is stale when the pair at its offset has another rank by now.
type scratch struct {
	next, prev []int32
	ranks      []uint32 // of the part at this offset together with its successor
	heap       []uint64 // rank<<32 | offset: the lowest rank first, and of equal ranks the leftmost
}

var scratches = sync.Pool{New: func() any { return new(scratch) }}

// mergeLarge is O(n log n): each merge ends one part and makes at most two new candidates (TK-7).
func (v *vocabulary) mergeLarge(piece string) int {
	s := scratches.Get().(*scratch)
	s.fill(v, piece)
	parts := len(piece)
	for len(s.heap) > 0 {
		top := s.pop()
		at, rank := int32(uint32(top)), uint32(top>>32)
		if s.ranks[at] != rank {
			continue
		}
		gone := s.next[at]
		s.ranks[gone] = noRank
		s.next[at] = s.next[gone]
		if s.next[at] < int32(len(piece)) {
			s.prev[s.next[at]] = at
		}
		parts--
		s.rate(v, piece, at)
		if before := s.prev[at]; before >= 0 {
			s.rate(v, piece, before)
		}
	}
	if len(piece) <= keptScratch {
		scratches.Put(s)
	}
	return parts
}

// rate finds the rank of the pair at an offset again, and offers it.
func (s *scratch) rate(v *vocabulary, piece string, at int32) {
	second := s.next[at]
	s.ranks[at] = noRank
	if second >= int32(len(piece)) {
		return
	}
	if r := v.rank(piece[at:s.next[second]]); r != noRank {
		s.ranks[at] = r
		s.push(uint64(r)<<32 | uint64(at))
	}
}

// fill starts with one part per byte.
func (s *scratch) fill(v *vocabulary, piece string) {
	n := len(piece)
	if cap(s.next) < n {
		s.next, s.prev, s.ranks = make([]int32, n), make([]int32, n), make([]uint32, n)
		s.heap = make([]uint64, 0, n)
	}
	s.next, s.prev, s.ranks, s.heap = s.next[:n], s.prev[:n], s.ranks[:n], s.heap[:0]
	for i := range n {
		s.next[i], s.prev[i], s.ranks[i] = int32(i+1), int32(i-1), noRank
		if i+1 == n {
			break
		}
		if r := v.pairs[int(piece[i])<<8|int(piece[i+1])]; r != noRank {
			s.ranks[i] = r
			s.heap = append(s.heap, uint64(r)<<32|uint64(i))
		}
	}
	for i := len(s.heap)/2 - 1; i >= 0; i-- {
		s.down(i)
	}
}

func (s *scratch) push(x uint64) {
	s.heap = append(s.heap, x)
	i := len(s.heap) - 1
	for i > 0 {
		up := (i - 1) / 2
		if s.heap[up] <= x {
			break
		}
		s.heap[i] = s.heap[up]
		i = up
	}
	s.heap[i] = x
}

func (s *scratch) pop() uint64 {
	top, last := s.heap[0], len(s.heap)-1
	s.heap[0] = s.heap[last]
	s.heap = s.heap[:last]
	if last > 1 {
		s.down(0)
	}
	return top
}

func (s *scratch) down(i int) {
	x := s.heap[i]
	for {
		child := 2*i + 1
		if child >= len(s.heap) {
			break
		}
		if child+1 < len(s.heap) && s.heap[child+1] < s.heap[child] {
			child++
		}
		if x <= s.heap[child] {
			break
		}
		s.heap[i] = s.heap[child]
		i = child
	}
	s.heap[i] = x
}
