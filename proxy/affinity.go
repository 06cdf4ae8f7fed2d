package proxy

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"math"
	"math/bits"
)

// rendezvous is the member whose weighted hash with the key is best: the same key stays while its member is there, moves
// when it is not, and comes back; other keys stay where they are (PL-5). The hash is the same on every replica.
func (t *target) rendezvous(free uint64, key string) int {
	best, highest := 0, math.Inf(-1)
	for rest := free; rest != 0; rest &= rest - 1 {
		i := bits.TrailingZeros64(rest)
		sum := sha256.Sum256([]byte(t.members[i].road.backend.Name + "\x00" + key))
		share := (float64(binary.BigEndian.Uint64(sum[:8])>>11) + 0.5) / (1 << 53) // in (0, 1)
		if score := float64(max(t.members[i].weight, 1)) / -math.Log(share); score > highest {
			best, highest = i, score
		}
	}
	return best
}

// affinityOf evaluates the pool's key; one that fails is no key: the call goes on by turns.
func (t *target) affinityOf(ctx context.Context, r *run) string {
	if t.affinity == nil {
		return ""
	}
	key, err := t.affinity(ctx, r.call)
	if err != nil {
		r.p.deps.Log.WarnContext(ctx, "expression failed", "pool", t.name, "attribute", "affinity", "error", err.Error())
		return ""
	}
	return key
}
