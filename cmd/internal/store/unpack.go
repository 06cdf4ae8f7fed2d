package store

import (
	"errors"
	"fmt"
	"math/bits"
	"strings"

	"github.com/drawbridge-mcp/drawbridge/proxy"
)

var errDamaged = errors.New("is damaged")

// unpacker reads a packed batch. Whatever the bytes are, it takes memory of their order.
type unpacker struct {
	rest             string
	numbersN, textsN uint64 // columns of the batch
	places           []string
	numbers          [numberColumns]int64
	texts            [textColumns]*string // of record
	now              int64                // time of record, in milliseconds
	record           proxy.Record
	err              error
}

func unpack(packed string) *unpacker {
	u := &unpacker{rest: packed, places: []string{""}}
	u.texts = textsOf(&u.record)
	if format := u.uvarint(); u.err == nil && format != packedFormat {
		u.err = fmt.Errorf("has format %d; this program reads %d", format, packedFormat)
		return u
	}
	u.numbersN, u.textsN = u.uvarint(), u.uvarint()
	if u.numbersN > maxColumns || u.textsN > maxColumns-u.numbersN {
		u.err = errDamaged
	}
	return u
}

// next reads a record into u.record and reports whether there was one. The batch ends, or u.err says why not. Only what
// differs from the record before is set, so whoever looks at it must not change it. Its id and request id are parts of
// the packed text and keep all of it in memory.
func (u *unpacker) next() bool {
	if u.err != nil || u.rest == "" {
		return false
	}
	u.now += u.varint()
	u.record.Time = fromMS(u.now)
	u.record.ID, u.record.RequestID = u.text(), u.text()
	for changed := u.uvarint(); changed != 0; changed &= changed - 1 {
		u.value(uint64(bits.TrailingZeros64(changed))) //nolint:gosec // 0 to 63
	}
	setNumbers(&u.record, &u.numbers)
	return u.err == nil
}

// value reads the value of a column. One that this program does not know is passed over.
func (u *unpacker) value(column uint64) {
	if column < u.numbersN {
		if v := u.varint(); column < numberColumns {
			u.numbers[column] = v
		}
		return
	}
	column -= u.numbersN
	if column >= u.textsN {
		u.fail()
		return
	}
	if text := u.place(); column < textColumns {
		*u.texts[column] = text
	}
}

// place reads a text that stands in the batch once. It is copied, because sums keep such texts.
func (u *unpacker) place() string {
	place, known := u.uvarint(), uint64(len(u.places))
	if place > known {
		u.fail()
		return ""
	}
	if place == known {
		u.places = append(u.places, strings.Clone(u.text()))
	}
	return u.places[place]
}

func (u *unpacker) text() string {
	n := u.uvarint()
	if n > uint64(len(u.rest)) {
		u.fail()
		return ""
	}
	text := u.rest[:n]
	u.rest = u.rest[n:]
	return text
}

func (u *unpacker) varint() int64 {
	v := u.uvarint()
	return int64(v>>1) ^ -int64(v&1) //nolint:gosec // all bits count
}

func (u *unpacker) uvarint() (v uint64) {
	for i := 0; i < len(u.rest) && i < 10; i++ {
		b := u.rest[i]
		v |= uint64(b&0x7f) << (7 * i)
		if b < 0x80 {
			u.rest = u.rest[i+1:]
			return v
		}
	}
	u.fail()
	return 0
}

func (u *unpacker) fail() { u.rest, u.err = "", errDamaged }
