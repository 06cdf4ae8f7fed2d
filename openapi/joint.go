package openapi

import (
	"encoding/binary"
	"slices"
)

// joints are the schemas that stand for several at once, each set of demands once. Where many parts of an allOf share
// their properties, and those are of the same few schemas again, every pair would else be merged anew on every level.
type joints struct {
	numbers map[*schema]int // of those that are no joint
	made    map[string]*schema
	sets    map[*schema]demands // of joints
}

// demands are schemas in the order in which they were met, and as a set of their numbers.
type demands struct {
	list []*schema
	bits []uint64
}

func (j *joints) of(s *schema) demands {
	if d, ok := j.sets[s]; ok {
		return d
	}
	if j.numbers == nil {
		j.numbers, j.made, j.sets = map[*schema]int{}, map[string]*schema{}, map[*schema]demands{}
	}
	n, known := j.numbers[s]
	if !known {
		n = len(j.numbers)
		j.numbers[s] = n
	}
	bits := make([]uint64, n/64+1)
	bits[n/64] = 1 << (n % 64)
	return demands{[]*schema{s}, bits}
}

// join is a with what b demands as well.
func (j *joints) join(a, b *schema) *schema {
	left, right := j.of(a), j.of(b)
	if left.holds(right) {
		return a
	}
	sum := demands{slices.Clone(left.list), make([]uint64, max(len(left.bits), len(right.bits)))}
	copy(sum.bits, left.bits)
	for i, word := range right.bits {
		sum.bits[i] |= word
	}
	for _, s := range right.list {
		if n := j.numbers[s]; n/64 >= len(left.bits) || left.bits[n/64]&(1<<(n%64)) == 0 {
			sum.list = append(sum.list, s)
		}
	}
	var key []byte
	for _, word := range sum.bits {
		key = binary.LittleEndian.AppendUint64(key, word)
	}
	if done := j.made[string(key)]; done != nil {
		return done
	}
	s := &schema{name: a.name, allOf: sum.list}
	j.made[string(key)], j.sets[s] = s, sum
	return s
}

// holds says whether all of other is a part of d.
func (d demands) holds(other demands) bool {
	for i, word := range other.bits {
		if i >= len(d.bits) && word != 0 || i < len(d.bits) && word&^d.bits[i] != 0 {
			return false
		}
	}
	return true
}
