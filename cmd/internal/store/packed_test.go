package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/drawbridge-mcp/drawbridge/proxy"
)

// fields are the addresses of all values of a record, those of its parts among them.
func fields(v reflect.Value) []reflect.Value {
	var all []reflect.Value
	for i := range v.NumField() {
		f := v.Field(i)
		if _, isTime := f.Interface().(time.Time); f.Kind() == reflect.Struct && !isTime {
			all = append(all, fields(f)...)
			continue
		}
		all = append(all, f)
	}
	return all
}

// set gives a field a value that no other has.
func set(t *testing.T, f reflect.Value, n int) {
	switch f.Interface().(type) {
	case time.Time:
		f.Set(reflect.ValueOf(testNow.Add(time.Duration(n) * time.Millisecond)))
		return
	}
	switch f.Kind() {
	case reflect.String:
		f.SetString(fmt.Sprint("text ", n))
	case reflect.Int, reflect.Int64:
		f.SetInt(int64(n) * 1_234_567)
	case reflect.Bool:
		f.SetBool(true)
	default:
		t.Fatalf("fields of type %s are new: say how they are kept", f.Type())
	}
}

// every returns records of all kinds: full ones, those with one field alone, and one that says nothing.
func every(t *testing.T) []proxy.Record {
	number := reflect.TypeFor[proxy.Record]().NumField() + reflect.TypeFor[proxy.Usage]().NumField() - 1
	records := []proxy.Record{{}}
	for alone := range number {
		var one, full proxy.Record
		set(t, fields(reflect.ValueOf(&one).Elem())[alone], alone)
		for i, f := range fields(reflect.ValueOf(&full).Elem()) {
			set(t, f, i+alone)
		}
		records = append(records, full, one, full)
	}
	extreme := row("extreme")
	extreme.CostMicro, extreme.SavedMicro, extreme.Duration, extreme.Tool = -1<<63, 1<<63-1, -1, strings.Repeat("x", 100_000)
	records = append(records, extreme)
	for i := range records {
		records[i].ID = fmt.Sprint("record-", i)
	}
	return records
}

func sameRecords(t *testing.T, got, want []proxy.Record) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%d records, want %d", len(got), len(want))
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("record %d\n%+v\nwant\n%+v", i, got[i], want[i])
		}
	}
}

func TestEveryColumnOfALedgerRowIsKept(t *testing.T) { // operations.md §6, llm.md §15.1
	s := open(t, testConfig(t, databases["sqlite"](t)))
	want := every(t)
	check(t, s.writeUsage(t.Context(), want))
	slices.SortStableFunc(want, func(a, b proxy.Record) int { return int(hourOf(ms(a.Time)) - hourOf(ms(b.Time))) })
	sameRecords(t, ledgerOf(t, s, time.Time{}, testNow.Add(time.Hour)), want)
}

func unpacked(t *testing.T, packed []byte) (records []proxy.Record) {
	t.Helper()
	u := unpack(string(packed))
	for u.next() {
		records = append(records, u.record)
	}
	check(t, u.err)
	return records
}

func TestABatchIsOfOneHourAndAlwaysTheSame(t *testing.T) { // operations.md U1, U10
	border := time.Date(2026, 11, 20, 13, 0, 0, 0, time.UTC)
	var records []proxy.Record
	for i, at := range []time.Time{
		border, border.Add(-time.Millisecond), border.Add(time.Hour - time.Millisecond), border.Add(-time.Hour), border.Add(time.Hour),
		border.Add(30 * time.Minute), {}, time.UnixMilli(-1), time.UnixMilli(-3_600_000), time.UnixMilli(-3_600_001), time.UnixMilli(3_599_999),
	} {
		r := row(fmt.Sprint(i))
		r.Time = at.UTC()
		records = append(records, r)
	}
	batches, again := pack(records), pack(records)
	if !reflect.DeepEqual(batches, again) {
		t.Error("the same records were packed differently")
	}
	var ids []string
	for _, b := range batches {
		var of []string
		for _, r := range unpacked(t, b.packed) {
			if at := ms(r.Time); at < b.first || at > b.last {
				t.Errorf("%s is outside of its batch", r.Time)
			}
			of = append(of, r.ID)
		}
		if b.last-b.first >= batchSpan || b.id != of[0] || b.records != len(of) {
			t.Errorf("batch %s: %d records in %d ms: %q", b.id, b.records, b.last-b.first, of)
		}
		ids = append(ids, strings.Join(of, " "))
	}
	if want := []string{"0 2 5", "1 3", "4", "6 10", "7 8", "9"}; !slices.Equal(ids, want) {
		t.Errorf("batches %q, want %q", ids, want)
	}
}

// header and text write what a batch of another program has in it.
func header(numbers, texts byte) []byte { return []byte{packedFormat, numbers, texts} }

func text8(s string) []byte { return append([]byte{byte(len(s))}, s...) }

func TestBatchesWithFewerOrMoreColumnsAreRead(t *testing.T) { // operations.md M2
	start := slices.Concat(binary.AppendVarint(nil, ms(testNow)), text8("id"), text8("req"))
	older := slices.Concat(header(1, 1), start, []byte{0b11}, binary.AppendVarint(nil, 5), []byte{1}, text8("chat"))
	newer := slices.Concat(header(numberColumns+1, textColumns+1), start,
		binary.AppendUvarint(nil, 1|1<<numberColumns|1<<(numberColumns+1)|1<<(numberColumns+textColumns+1)),
		binary.AppendVarint(nil, 5), binary.AppendVarint(nil, 77), []byte{1}, text8("chat"), []byte{2}, text8("new"))
	want := proxy.Record{ID: "id", RequestID: "req", Time: testNow, Duration: 5, Endpoint: "chat"}
	sameRecords(t, unpacked(t, older), []proxy.Record{want})
	sameRecords(t, unpacked(t, newer), []proxy.Record{want})
}

func TestAnUnknownFormatIsToldFromDamage(t *testing.T) {
	u := unpack("\x02...")
	if u.next() || u.err == nil || u.err.Error() != "has format 2; this program reads 1" {
		t.Errorf("format 2: %v", u.err)
	}
	for _, packed := range []string{"", "\x01", "\x01\x0d", "\x01\x41\x00", "\x01\x20\x21", "\x01\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x02"} {
		u := unpack(packed)
		if u.next() || !errors.Is(u.err, errDamaged) {
			t.Errorf("%x: %v", packed, u.err)
		}
	}
}

func TestABatchThatWasCutIsDamaged(t *testing.T) {
	packed := string(pack([]proxy.Record{row("a")})[0].packed)
	for n := range packed {
		if n == len(header(0, 0)) {
			continue // a batch without records: their number tells
		}
		u := unpack(packed[:n])
		for u.next() {
		}
		if !errors.Is(u.err, errDamaged) {
			t.Errorf("cut after %d of %d bytes: %v", n, len(packed), u.err)
		}
	}
}

func FuzzUnpack(f *testing.F) {
	f.Add(string(pack([]proxy.Record{row("a"), {}, row("b")})[0].packed))
	f.Add("\x01\x01\x01\x00\x00\x00\x03\x02\x01\x01x")
	f.Add("\x01\x40\x00\x00\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01")
	f.Fuzz(func(t *testing.T, packed string) {
		u, records := unpack(packed), 0
		for u.next() {
			records++
		}
		if records*4 > len(packed) || len(u.places) > len(packed)+1 {
			t.Errorf("%d records, %d texts of %d bytes", records, len(u.places), len(packed))
		}
		if u.next() {
			t.Error("it went on after its end")
		}
	})
}

// What was packed comes back, whatever it is.
func FuzzPack(f *testing.F) {
	f.Add("a", "tool", int64(5), int64(1_795_176_000_000), true)
	f.Add("", "", int64(-1), int64(-1), false)
	f.Fuzz(func(t *testing.T, id, text string, number, at int64, flag bool) {
		a := proxy.Record{ID: id, RequestID: text, Time: fromMS(at), Caller: text, Tool: id, CostMicro: number, Stream: flag}
		b := proxy.Record{ID: id + "2", Time: a.Time, Caller: id, SavedMicro: number, Attempts: int(number), Code: text}
		packed := pack([]proxy.Record{a, b, a})
		if len(packed) != 1 {
			t.Fatalf("%d batches", len(packed))
		}
		sameRecords(t, unpacked(t, packed[0].packed), []proxy.Record{a, b})
	})
}
