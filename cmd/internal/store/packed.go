package store

import (
	"encoding/binary"
	"hash/crc32"
	"math/bits"
	"slices"
	"time"

	"github.com/drawbridge-mcp/drawbridge/proxy"
)

// A packed batch holds records one after the other, each as what differs from the one before it:
//
//	batch   = format (1 byte), how many columns are numbers, how many are texts, record …
//	record  = time (varint: milliseconds after the record before), id, request id, changed, value …
//	changed = a bit for each column that differs: the numbers from bit 0 up, then the texts
//	value   = of a number: varint; of a text: its place among the texts of the batch, and the text itself when it is new there
//
// Lengths, counts and places are uvarints; a text stands after its length. At place 0 is the empty text.
const packedFormat = 1

const (
	numberColumns = 13
	textColumns   = 17
	maxColumns    = 64 // bits of changed
	recordSize    = 96 // packed; most are of about 75 bytes
)

// numbersOf returns the columns that are numbers, those that differ from call to call first: changed is short then. A new
// column is added at the end of its list; batches of an older program lack it, and an older program passes over it.
func numbersOf(r *proxy.Record) [numberColumns]int64 {
	u := &r.Usage
	return [...]int64{
		int64(r.Duration), int64(r.Upstream), int64(r.FirstByte),
		int64(u.Input), int64(u.Output), int64(u.Cached), int64(u.Reasoning), int64(u.CacheWrite),
		r.CostMicro, r.SavedMicro, int64(r.Status), int64(r.Attempts), count(r.Stream),
	}
}

// setNumbers is the way back.
func setNumbers(r *proxy.Record, n *[numberColumns]int64) {
	u := &r.Usage
	r.Duration, r.Upstream, r.FirstByte = time.Duration(n[0]), time.Duration(n[1]), time.Duration(n[2])
	u.Input, u.Output, u.Cached, u.Reasoning, u.CacheWrite = int(n[3]), int(n[4]), int(n[5]), int(n[6]), int(n[7])
	r.CostMicro, r.SavedMicro, r.Status, r.Attempts, r.Stream = n[8], n[9], int(n[10]), int(n[11]), n[12] != 0
}

// textsOf returns the columns that are words, of which a batch has few different ones. A new one is added at the end.
func textsOf(r *proxy.Record) [textColumns]*string {
	return [...]*string{
		&r.Endpoint, &r.Tool, &r.Caller, &r.ClientID, &r.Server, &r.Backend, &r.Model, &r.UpstreamModel, (*string)(&r.Ending), &r.Code,
		&r.Cache, (*string)(&r.Usage.Source), &r.PriceVersion, &r.Subscription, &r.Product, (*string)(&r.Surface), &r.Currency,
	}
}

// batchSpan is what the times of a batch lie within, in milliseconds: whoever reads a period need not look further back
// for batches that reach into it.
const batchSpan = int64(time.Hour / time.Millisecond)

// batch is a row of usage_batches in the making.
type batch struct {
	first, last int64 // milliseconds
	id          string
	records     int
	packed      []byte

	now     int64 // of the record before
	numbers [numberColumns]int64
	texts   [textColumns]string
	places  map[string]uint64 // of the texts that were there
}

// pack makes one batch of the records, or one for each hour they are of. The same records make the same batches. A record
// whose id was there before is left out.
func pack(records []proxy.Record) []*batch {
	var batches []*batch
	hours := make(map[int64]*batch, 1)
	seen := make(map[string]struct{}, len(records))
	for i := range records {
		r := &records[i]
		known := len(seen)
		if seen[r.ID] = struct{}{}; len(seen) == known {
			continue
		}
		now := ms(r.Time)
		b := hours[hourOf(now)]
		if b == nil {
			b = newBatch(r.ID, now)
			if len(batches) == 0 { // it gets nearly all of them
				b.packed = slices.Grow(b.packed, recordSize*len(records))
			}
			hours[hourOf(now)] = b
			batches = append(batches, b)
		}
		b.add(r, now)
	}
	return batches
}

func hourOf(ms int64) int64 {
	if ms < 0 { // rounded down, as the others are
		ms -= batchSpan - 1
	}
	return ms / batchSpan
}

func newBatch(id string, now int64) *batch {
	return &batch{
		id: id, first: now, last: now, packed: []byte{packedFormat, numberColumns, textColumns}, places: map[string]uint64{"": 0},
	}
}

func (b *batch) add(r *proxy.Record, now int64) {
	b.first, b.last = min(b.first, now), max(b.last, now)
	b.records++
	b.packed = binary.AppendVarint(b.packed, now-b.now)
	b.now = now
	b.addText(r.ID)
	b.addText(r.RequestID)
	numbers, texts := numbersOf(r), textsOf(r)
	changed := uint64(0)
	for i := range numbers {
		if numbers[i] != b.numbers[i] {
			changed |= 1 << i
		}
	}
	for i := range texts {
		if *texts[i] != b.texts[i] {
			changed |= 1 << (numberColumns + i)
		}
	}
	b.packed = binary.AppendUvarint(b.packed, changed)
	for ; changed != 0; changed &= changed - 1 {
		i := bits.TrailingZeros64(changed)
		if i < numberColumns {
			b.packed = binary.AppendVarint(b.packed, numbers[i])
			continue
		}
		text := *texts[i-numberColumns]
		b.texts[i-numberColumns] = text
		b.addPlace(text)
	}
	b.numbers = numbers
}

func (b *batch) addText(text string) {
	b.packed = binary.AppendUvarint(b.packed, uint64(len(text)))
	b.packed = append(b.packed, text...)
}

func (b *batch) addPlace(text string) {
	place, known := b.places[text]
	if !known {
		place = uint64(len(b.places))
		b.places[text] = place
	}
	b.packed = binary.AppendUvarint(b.packed, place)
	if !known {
		b.addText(text)
	}
}

// checksumOf tells damage, which otherwise might read as other numbers.
func checksumOf(packed []byte) int64 {
	return int64(crc32.Checksum(packed, crc32.MakeTable(crc32.Castagnoli)))
}
