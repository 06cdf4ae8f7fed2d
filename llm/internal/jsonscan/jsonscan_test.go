package jsonscan

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestSkipKnowsTheGrammar(t *testing.T) {
	long := strings.Repeat("1", MaxNumber)
	tests := []struct {
		text string
		ok   bool
	}{
		{`{}`, true}, {`[]`, true}, {`{"a":1,"b":[true,false,null,"x"]}`, true}, {` `, false}, {`{"a":1,}`, false},
		{`[1,]`, false}, {`{"a" 1}`, false}, {`{a:1}`, false}, {`[1 2]`, false}, {`{"a":1`, false}, {`"a`, false},
		{`01`, false}, {`1.`, false}, {`-`, false}, {`1e`, false}, {`1e+5`, true}, {`-0.5E-3`, true}, {`+1`, false},
		{`.5`, false}, {`nul`, false}, {`NaN`, false}, {"\"a\nb\"", false}, {"\"a\x00\"", false}, {`"\x"`, false},
		{`"\u12g4"`, false}, {`"\ud83d\ude00"`, true}, {`"\ud83d"`, true}, {"\"\xff\"", false},
		{"\"" + strings.Repeat("ä", 40) + "\"", true}, {"\"" + strings.Repeat("x", 37) + "\xc3\"", false},
		{long, true}, {long + "1", false}, // SZ-4
		{strings.Repeat("[", 64) + strings.Repeat("]", 64), true},
		{strings.Repeat("[", 65) + strings.Repeat("]", 65), false},
		{strings.Repeat("[", 1_000_000), false},
	}
	for _, tt := range tests {
		end, err := Skip([]byte(tt.text), 0)
		if ok := err == nil && end == len(tt.text); ok != tt.ok {
			t.Errorf("Skip(%.60q) = %d, %v, want ok %v", tt.text, end, err, tt.ok)
		}
	}
}

func TestMembersShowRawValuesInOrder(t *testing.T) {
	var got []string
	err := Members([]byte(" {\"a\" : 1e3 , \"\\u0062\":{\"x\":[1]},\"c\":\"\\n\"} "), func(key, value []byte) error {
		got = append(got, string(key)+"="+string(value))
		return nil
	})
	if want := `a=1e3 b={"x":[1]} c="\n"`; err != nil || strings.Join(got, " ") != want {
		t.Errorf("Members = %v, %v, want %s", got, err, want)
	}
	stop := errors.New("stop")
	if err := Elements([]byte(`[1,2,3]`), func([]byte) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("Elements = %v, want the error of see", err)
	}
	for _, bad := range []string{``, `1`, `[] x`, `{}`} {
		if Elements([]byte(bad), func([]byte) error { return nil }) == nil {
			t.Errorf("Elements(%q) = nil, want an error", bad)
		}
	}
}

func TestTextResolvesEscapes(t *testing.T) {
	for raw, want := range map[string]string{
		`"a\n\t\"\\\/b"`: "a\n\t\"\\/b", `"\u00e4\ud83d\ude00!"`: "ä😀!", `"\ud83dx"`: "\ufffdx", `""`: "", `1`: "", `"`: "",
	} {
		if got := Text([]byte(raw)); got != want {
			t.Errorf("Text(%s) = %q, want %q", raw, got, want)
		}
	}
	for raw, want := range map[string]bool{
		`"\ud83d\ude00"`: false, `"\ud83d"`: true, `"\ude00x"`: true, `"\ufffd"`: false, `"\\ud83d"`: false, `"\ud83d\ud83d\ude00"`: true,
	} {
		if _, _, err := StrictString([]byte(raw), 0); (err != nil) != want { // TK-10
			t.Errorf("StrictString(%s) = %v, want refused %v", raw, err, want)
		}
	}
}

func TestIntTakesEverySpelling(t *testing.T) {
	for raw, want := range map[string]int{"1": 1, "-4": -4, "1e3": 1000, "16.0": 16, "0": 0} {
		if n, ok := Int([]byte(raw)); !ok || n != want {
			t.Errorf("Int(%s) = %d, %v, want %d", raw, n, ok, want)
		}
	}
	for _, raw := range []string{"", "1.5", "true", `"1"`, "1e400", "12345678901234567890", "null"} {
		if n, ok := Int([]byte(raw)); ok {
			t.Errorf("Int(%s) = %d, want not ok", raw, n)
		}
	}
}

func FuzzSkipAgreesWithEncodingJSON(f *testing.F) {
	for _, s := range []string{`{"a":[1,2,{"b":"\u00e4\n"}]}`, "\"\xff\"", `[1e5,-0,true]`, `{"a":1,"a":2}`, `"\ud83d"`, "\"aaaaaaaaaaaaaaaaaaaa\\n\""} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		at := Space(data, 0)
		end, err := Skip(data, at)
		ours := err == nil && Space(data, end) == len(data)
		theirs := json.Valid(data) && utf8.Valid(data)
		if errors.Is(err, ErrDepth) || len(data) > MaxNumber {
			return // stricter than the grammar
		}
		if ours != theirs {
			t.Fatalf("Skip says %v, encoding/json %v: %q", ours, theirs, data)
		}
		if ours && data[at] == '"' {
			var want string
			if json.Unmarshal(data, &want) == nil && want != Text(data[at:end]) {
				t.Fatalf("Text = %q, want %q", Text(data[at:end]), want)
			}
		}
	})
}

func BenchmarkSkip256KiB(b *testing.B) {
	for name, text := range map[string]string{"ascii": "The quick brown fox. ", "escapes": "func main() {\\n\\tprintln(1)\\n}\\n", "cjk": "漢字かな交じり文"} {
		data := []byte(`{"messages":[{"role":"user","content":"` + strings.Repeat(text, 256<<10/len(text)) + `"}]}`)
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(data)))
			for b.Loop() {
				if _, err := Skip(data, 0); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
