package tokens

import (
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

// reference counts as slowly and plainly as possible: the published regular expressions, and the definition of the merge.
// Go's engine knows no look-ahead, so white space that the first alternatives leave is cut by hand.
type reference struct {
	pattern *regexp.Regexp
	ranks   map[string]int
}

const (
	blank   = `\t\n\v\f\r \x{85}\x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000}` // White_Space
	endings = `(?i:'s|'t|'re|'ve|'m|'ll|'d)`
)

var patterns = map[Encoding]string{
	O200k: `[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+` + endings + `?` +
		`|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*` + endings + `?` +
		`|\p{N}{1,3}| ?[^` + blank + `\p{L}\p{N}]+[\r\n/]*|[` + blank + `]*[\r\n]+`,
	CL100k: endings + `|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^` + blank + `\p{L}\p{N}]+[\r\n]*|[` + blank + `]*[\r\n]+`,
	P50k:   `'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^` + blank + `\p{L}\p{N}]+`,
}

func newReference(enc Encoding) *reference {
	pattern, ok := patterns[enc]
	if !ok {
		pattern = patterns[P50k]
	}
	v, ranks := loadVocabulary(enc), map[string]int{}
	for r := range len(v.starts) - 1 {
		ranks[v.token(uint32(r))] = r
	}
	return &reference{regexp.MustCompile(`^(?:` + pattern + `)`), ranks}
}

func (f *reference) split(text string) (pieces []string) {
	for text != "" {
		n := len(f.pattern.FindString(text))
		if n == 0 {
			n = len(text) - len(strings.TrimLeftFunc(text, unicode.IsSpace))
			_, last := utf8.DecodeLastRuneInString(text[:n])
			if n < len(text) && n > last {
				n -= last
			}
		}
		pieces, text = append(pieces, text[:n]), text[n:]
	}
	return pieces
}

func (f *reference) tokens(piece string) int {
	parts := strings.Split(piece, "")
	parts = parts[:0]
	for i := range len(piece) {
		parts = append(parts, piece[i:i+1])
	}
	for {
		best, at := len(f.ranks), -1
		for i := range len(parts) - 1 {
			if r, ok := f.ranks[parts[i]+parts[i+1]]; ok && r < best {
				best, at = r, i
			}
		}
		if at < 0 {
			return len(parts)
		}
		parts[at] += parts[at+1]
		parts = append(parts[:at+1], parts[at+2:]...)
	}
}

func (f *reference) count(text string) (n int) {
	for _, piece := range f.split(text) {
		n += f.tokens(piece)
	}
	return n
}

func TestCountsEqualThePlainDefinition(t *testing.T) { // TK-5, TK-6
	pool := []rune("aBcZ'sSrReElLvVdDmMtTkK  \n\r\t/!.<123½中文ʰǅ\u0301\u0903éЖ😀ſ\u00a0\u0085\u2003\u3000\u001c\x00\u200d٣𐐔𝟙")
	random := rand.New(rand.NewPCG(1, 2))
	for _, enc := range encodings {
		ref := newReference(enc)
		for range 3000 {
			text := randomText(random, pool, 1+random.IntN(30))
			if got, want := Count(enc, text), ref.count(text); got != want {
				t.Fatalf("%s: Count(%q) = %d, want %d; pieces %q", enc, text, got, want, ref.split(text))
			}
		}
	}
}

func TestBothMergesAgreeWithTheDefinition(t *testing.T) { // TK-7
	random := rand.New(rand.NewPCG(3, 4))
	for _, enc := range encodings {
		ref, v := newReference(enc), loadVocabulary(enc)
		for _, pool := range []string{"a", "ab", " ", " \n", "etaoinshrdlu", "龍飛", "ACGT", "=-", "01"} {
			for _, size := range []int{2, 3, 63, 64, 65, 200, 700} {
				piece := randomText(random, []rune(pool), size)
				want := ref.tokens(piece)
				if got := v.mergeLarge(piece); got != want {
					t.Errorf("%s: mergeLarge(%q) = %d, want %d", enc, piece, got, want)
				}
				if len(piece) > smallPiece {
					continue
				}
				if got := v.mergeSmall(piece); got != want {
					t.Errorf("%s: mergeSmall(%q) = %d, want %d", enc, piece, got, want)
				}
			}
		}
	}
}

func randomText(random *rand.Rand, pool []rune, size int) string {
	text := make([]rune, size)
	for i := range text {
		text[i] = pool[random.IntN(len(pool))]
	}
	return string(text)
}

func FuzzCount(f *testing.F) {
	for _, unit := range hostile {
		f.Add(unit + "x" + unit)
	}
	f.Add("we'LL go\r\n\r\n  to 1234 //中A\u0301B")
	refs := map[Encoding]*reference{}
	for _, enc := range encodings {
		refs[enc] = newReference(enc)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > 2000 || !utf8.ValidString(text) {
			return
		}
		for enc, ref := range refs {
			if got, want := Count(enc, text), ref.count(text); got != want {
				t.Errorf("%s: Count(%q) = %d, want %d", enc, text, got, want)
			}
		}
	})
}

func BenchmarkCountEnglish(b *testing.B) { // TK-8
	text := strings.Repeat("Drawbridge stands in front of services; every request that arrives is checked, counted and recorded. "+
		"When a limit is reached, the answer says how long to wait, and nobody's work is lost.\n", 100)
	benchmarkCount(b, text)
}

func BenchmarkCountCode(b *testing.B) {
	benchmarkCount(b, strings.Repeat("func (s *Store) Open(ctx context.Context) error {\n\tif s.db == nil {\n\t\treturn errClosed\n\t}\n}\n", 200))
}

func BenchmarkCountHostile(b *testing.B) { // TK-7: at most a second each
	for name, unit := range hostile {
		b.Run(strings.ReplaceAll(name, " ", "_"), func(b *testing.B) { benchmarkCount(b, strings.Repeat(unit, 1<<20/len(unit))) })
	}
}

func BenchmarkCountChinese(b *testing.B) {
	benchmarkCount(b, strings.Repeat("龍飛鳳舞世界", 1000))
}

func benchmarkCount(b *testing.B, text string) {
	for _, enc := range []Encoding{O200k, CL100k} {
		b.Run(enc.String(), func(b *testing.B) {
			n := Count(enc, text)
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			for b.Loop() {
				Count(enc, text)
			}
			b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds(), "tokens/s")
		})
	}
}

func BenchmarkLoad(b *testing.B) { // TK-4
	for b.Loop() {
		loadVocabulary(O200k)
	}
}
