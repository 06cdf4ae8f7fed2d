package tokens

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"hash/maphash"
	"math/bits"
	"strconv"

	"github.com/pkoukk/tiktoken-go-loader/assets"
)

// noRank is what is not in the vocabulary; larger than every rank.
const noRank = ^uint32(0)

// rankBits of a slot hold the rank plus one, the rest some bits of the hash: most misses end without comparing bytes.
const (
	rankBits = 18
	rankMask = 1<<rankBits - 1
)

// vocabulary maps byte strings to ranks: a hash table with open addressing over one block of bytes, so that 200,000
// tokens take 4 MB and look-ups allocate nothing. Immutable once loaded.
type vocabulary struct {
	seed    maphash.Seed
	text    string   // the tokens, one after the other in the order of their ranks
	starts  []uint32 // token r is text[starts[r]:starts[r+1]]
	slots   []uint32 // hash bits and rank+1; 0 is empty; a power of two long
	mask    uint64
	longest int
	pairs   []uint32 // rank of every two-byte token by its bytes; noRank where there is none
}

// loadVocabulary unpacks an embedded rank file. The data is part of the binary and its digest is tested (TK-3), so a
// fault in it is a fault of the build.
func loadVocabulary(enc Encoding) *vocabulary {
	data, err := assets.Assets.ReadFile(enc.String() + ".tiktoken")
	if err != nil {
		panic(fmt.Sprintf("tokens: embedded vocabulary: %v", err))
	}
	v, err := parseVocabulary(data)
	if err != nil {
		panic(fmt.Sprintf("tokens: embedded vocabulary %s: %v", enc, err))
	}
	return v
}

// parseVocabulary reads lines of base64(token) SP rank, ranks ascending. Only the order of ranks matters to counting, so
// the number of the line stands for the rank (p50k_base leaves one out).
func parseVocabulary(data []byte) (*vocabulary, error) {
	count := bytes.Count(data, []byte{'\n'})
	if count == 0 || count >= rankMask {
		return nil, fmt.Errorf("has %d lines", count)
	}
	v := &vocabulary{seed: maphash.MakeSeed(), starts: make([]uint32, 1, count+1)}
	text, last := make([]byte, 0, len(data)/2), -1
	for line := range bytes.Lines(data) {
		token, rank, _ := bytes.Cut(bytes.TrimRight(line, "\n"), []byte{' '})
		number, err := strconv.Atoi(string(rank))
		if err != nil || number <= last {
			return nil, fmt.Errorf("line %d: ranks do not ascend", len(v.starts))
		}
		last, text = number, append(text, make([]byte, base64.StdEncoding.DecodedLen(len(token)))...)
		start := v.starts[len(v.starts)-1]
		n, err := base64.StdEncoding.Decode(text[start:], token)
		if err != nil || n == 0 {
			return nil, fmt.Errorf("line %d: not base64", len(v.starts))
		}
		text = text[:int(start)+n]
		v.longest = max(v.longest, n)
		v.starts = append(v.starts, uint32(len(text)))
	}
	v.text = string(text)
	v.index()
	return v, v.check()
}

func (v *vocabulary) index() {
	size := 1 << bits.Len(uint(len(v.starts)*2)) // at most half full
	v.slots, v.mask = make([]uint32, size), uint64(size-1)
	v.pairs = make([]uint32, 1<<16)
	for i := range v.pairs {
		v.pairs[i] = noRank
	}
	for r := range len(v.starts) - 1 {
		token := v.token(uint32(r))
		if len(token) == 2 {
			v.pairs[int(token[0])<<8|int(token[1])] = uint32(r)
		}
		h := maphash.String(v.seed, token)
		at := h & v.mask
		for v.slots[at] != 0 {
			at = (at + 1) & v.mask
		}
		v.slots[at] = tag(h) | uint32(r+1)
	}
}

// check makes sure that every byte is a token: merging starts from single bytes.
func (v *vocabulary) check() error {
	for b := range 256 {
		if v.rank(string([]byte{byte(b)})) == noRank {
			return fmt.Errorf("byte %#02x is no token", b)
		}
	}
	return nil
}

func (v *vocabulary) token(rank uint32) string { return v.text[v.starts[rank]:v.starts[rank+1]] }

// rank returns the rank of a token, or noRank.
func (v *vocabulary) rank(token string) uint32 {
	if len(token) > v.longest {
		return noRank
	}
	h := maphash.String(v.seed, token)
	want := tag(h)
	for at := h & v.mask; ; at = (at + 1) & v.mask {
		slot := v.slots[at]
		if slot == 0 {
			return noRank
		}
		if slot&^rankMask == want {
			if r := slot&rankMask - 1; v.token(r) == token {
				return r
			}
		}
	}
}

func tag(hash uint64) uint32 { return uint32(hash>>32) &^ rankMask }
