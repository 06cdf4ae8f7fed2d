package tokens

import (
	"sync"
	"unicode/utf8"
)

// Encoding is a vocabulary with its pattern (TK-1).
type Encoding uint8

const (
	None   Encoding = iota // no vocabulary of ours: texts are estimated from their bytes
	O200k                  // o200k_base; o200k_harmony has the same ranks
	CL100k                 // cl100k_base
	P50k                   // p50k_base
	R50k                   // r50k_base
)

// bytesPerToken is the estimate for models whose vocabulary is not public (TK-18).
const bytesPerToken = 3.2

// String returns the name that OpenAI gives the encoding; "" for None.
func (e Encoding) String() string {
	switch e {
	case O200k:
		return "o200k_base"
	case CL100k:
		return "cl100k_base"
	case P50k:
		return "p50k_base"
	case R50k:
		return "r50k_base"
	default:
		return ""
	}
}

// ParseEncoding finds an encoding by its name.
func ParseEncoding(name string) (Encoding, bool) {
	if name == "o200k_harmony" {
		return O200k, true
	}
	for e := O200k; e <= R50k; e++ {
		if e.String() == name {
			return e, true
		}
	}
	return None, false
}

// Count returns how many tokens text is. Special tokens count as the plain text they look like, as with tiktoken's
// encode_ordinary (TK-5); a byte that is not UTF-8 counts as U+FFFD (TK-10). With None it is the estimate of TK-18.
// The work is O(n log n) for every text.
func Count(enc Encoding, text string) int {
	if text == "" {
		return 0
	}
	if enc == None || enc > R50k {
		return estimate(len(text), bytesPerToken)
	}
	if !utf8.ValidString(text) {
		text = string([]rune(text)) // each stray byte becomes U+FFFD, as JSON decoders do
	}
	return coders[enc]().count(text)
}

// estimate rounds up: a limit must not be passed by many small texts.
func estimate(bytes int, perToken float64) int {
	n := int(float64(bytes) / perToken)
	if float64(n)*perToken < float64(bytes) {
		n++
	}
	return n
}

// coder is one encoding, unpacked.
type coder struct {
	split func(c *classes, text string, at int) (end int)
	*classes
	*vocabulary
}

func (c *coder) count(text string) (n int) {
	for at := 0; at < len(text); {
		end := c.split(c.classes, text, at)
		n += c.pieceTokens(text[at:end])
		at = end
	}
	return n
}

// coders unpack on first use (TK-4).
var coders = [...]func() *coder{
	O200k:  newCoder(O200k, splitO200k),
	CL100k: newCoder(CL100k, splitCL100k),
	P50k:   newCoder(P50k, splitR50k), // p50k_base differs in ranks only
	R50k:   newCoder(R50k, splitR50k),
}

var runeClasses = sync.OnceValue(newClasses)

func newCoder(enc Encoding, split func(*classes, string, int) int) func() *coder {
	return sync.OnceValue(func() *coder {
		return &coder{split: split, classes: runeClasses(), vocabulary: loadVocabulary(enc)}
	})
}
