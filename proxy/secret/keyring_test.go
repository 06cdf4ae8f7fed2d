package secret

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"
)

var purposes = []Purpose{Row, Cookie, CSRF, Cursor, State, SubscriptionKey, Audit, Cache, MCPSession, MCPState}

func newRing(t testing.TB) *Keyring {
	t.Helper()
	k, err := NewKeyring(time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func seal(t testing.TB, k *Keyring, p Purpose, place, text string) string {
	t.Helper()
	sealed, err := k.Seal(p, place, []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return sealed
}

func TestWhatWasSealedForOnePurposeOpensForNoOther(t *testing.T) { // operations.md K2
	k := newRing(t)
	for _, made := range purposes {
		sealed := seal(t, k, made, "p", "text")
		for _, used := range purposes {
			got, err := k.Open(used, "p", sealed)
			if made == used {
				if err != nil || string(got) != "text" {
					t.Errorf("%s: Open = %q, %v", made, got, err)
				}
			} else if !errors.Is(err, ErrSealed) {
				t.Errorf("made for %s, opened for %s: %q, %v", made, used, got, err)
			}
		}
	}
}

func TestMACsOfDifferentPurposesDiffer(t *testing.T) { // operations.md K2
	k, seen := newRing(t), map[string]Purpose{}
	for _, p := range append(purposes, keyID) {
		mac := string(k.MAC(p, "a", "b"))
		if other, ok := seen[mac]; ok {
			t.Errorf("%s and %s make the same", p, other)
		}
		seen[mac] = p
	}
}

func TestMACsKeepTheirPartsApart(t *testing.T) {
	k := newRing(t)
	tests := [][2][]string{{{"ab", "c"}, {"a", "bc"}}, {{"a"}, {"a", ""}}, {{"1:a"}, {"", "a"}}, {{}, {""}}}
	for _, tt := range tests {
		if bytes.Equal(k.MAC(Cookie, tt[0]...), k.MAC(Cookie, tt[1]...)) {
			t.Errorf("%q and %q make the same", tt[0], tt[1])
		}
	}
	if !bytes.Equal(k.MAC(Cookie, "a", "b"), k.MAC(Cookie, "a", "b")) {
		t.Error("not repeatable")
	}
	if bytes.Equal(k.MAC(Cookie, "a"), newRing(t).MAC(Cookie, "a")) {
		t.Error("two installations make the same")
	}
}

func TestASealedValueThatWasMovedDoesNotOpen(t *testing.T) { // operations.md K3
	k := newRing(t)
	sealed := seal(t, k, Row, "grants/sealed/g1", "token")
	for _, place := range []string{"grants/sealed/g2", "grants/other/g1", "sessions/sealed/g1", ""} {
		if _, err := k.Open(Row, place, sealed); !errors.Is(err, ErrSealed) {
			t.Errorf("opened at %q: %v", place, err)
		}
	}
	if _, err := newRing(t).Open(Row, "grants/sealed/g1", sealed); !errors.Is(err, ErrSealed) {
		t.Errorf("another ring: %v", err)
	}
}

func TestASealedValueThatWasChangedDoesNotOpen(t *testing.T) { // operations.md K3
	k := newRing(t)
	sealed := seal(t, k, Row, "p", "some text that is long enough")
	for i := range len(sealed) {
		changed := []byte(sealed)
		changed[i] ^= 1
		if got, err := k.Open(Row, "p", string(changed)); err == nil && i != len(sealed)-1 { // the last character has spare bits
			t.Errorf("byte %d changed: opened as %q", i, got)
		}
	}
	for _, cut := range []string{"", "v1", "v1...", "v1.x.y.z", sealed[:len(sealed)-2], sealed + ".", "v2" + sealed[2:]} {
		if _, err := k.Open(Row, "p", cut); !errors.Is(err, ErrSealed) {
			t.Errorf("Open(%q) = %v", cut, err)
		}
	}
}

func TestSealingTwiceGivesTwoTexts(t *testing.T) {
	k := newRing(t)
	if seal(t, k, Row, "p", "x") == seal(t, k, Row, "p", "x") {
		t.Error("the nonce repeats")
	}
	if sealed := seal(t, k, Row, "p", "a secret"); strings.Contains(sealed, "secret") || !strings.HasPrefix(sealed, "v1."+k.EncryptionIDs()[0]+".") {
		t.Errorf("form %q", sealed)
	}
}

func TestARetiredKeyStillOpensAndTheActiveOneSeals(t *testing.T) { // operations.md K7
	old := newRing(t)
	sealed := seal(t, old, Row, "p", "text")
	next := &Keyring{signing: old.signing, mac: old.mac, sealing: []sealingKey{
		{id: old.sealing[0].id, root: old.sealing[0].root, state: Retired},
		{id: "new", root: bytes.Repeat([]byte{7}, 32), state: Active},
	}}
	if got, err := next.Open(Row, "p", sealed); err != nil || string(got) != "text" {
		t.Errorf("Open = %q, %v", got, err)
	}
	if again := seal(t, next, Row, "p", "text"); !strings.HasPrefix(again, "v1.new.") {
		t.Errorf("sealed with %q", again)
	}
	if ids := next.EncryptionIDs(); len(ids) != 2 || ids[0] != "new" {
		t.Errorf("EncryptionIDs = %q", ids)
	}
}

func FuzzOpen(f *testing.F) {
	k := newRing(f)
	f.Add(seal(f, k, Row, "p", "text"))
	f.Add("v1.a.b.c")
	f.Fuzz(func(t *testing.T, sealed string) {
		if _, err := k.Open(Row, "elsewhere", sealed); !errors.Is(err, ErrSealed) {
			t.Errorf("Open(%q) = %v", sealed, err)
		}
	})
}

func BenchmarkSealOpen(b *testing.B) {
	k, text := newRing(b), bytes.Repeat([]byte("x"), 2000)
	for b.Loop() {
		sealed, err := k.Seal(Row, "p", text)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := k.Open(Row, "p", sealed); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkMAC(b *testing.B) {
	k := newRing(b)
	b.ReportAllocs()
	for b.Loop() {
		k.MAC(SubscriptionKey, "dbk_01234567_0123456789abcdefghijklmnopqrstuv0000")
	}
}
