package openapi

import (
	"encoding/json"
	"math"
	"slices"
	"strings"
	"unicode"
)

// Index finds tools by words: BM25 over names, titles, tags, descriptions, arguments and paths (mcp.md §14 F4). It is
// immutable, safe for concurrent use, and gives the same hits for the same query.
type Index struct {
	tools    []*Tool
	postings map[string][]posting
}

// Hit is a tool that a search found.
type Hit struct {
	Tool  *Tool
	Score float64
}

// posting says how much one word speaks for one tool. Everything of BM25 but the query is known when the index is built.
type posting struct {
	tool  int32
	score float32
}

// places of a word, from the strongest. A word counts by the length of its own place, so that a long description takes
// nothing from a name (BM25F).
const (
	inName     = iota
	inTitle    // and tags
	inText     // description
	inArgument // names of arguments, literal segments of the path
	places
)

var placeWeights = [places]float64{inName: 4, inTitle: 2, inText: 1, inArgument: 1}

// Parameters of BM25, as everybody has them.
const (
	saturation   = 1.2
	lengthWeight = 0.75
)

// NewIndex indexes tools in their order, which breaks ties.
func NewIndex(tools []*Tool) *Index {
	x := &Index{tools: tools, postings: map[string][]posting{}}
	words := make([]map[string]*[places]float64, len(tools))
	var lengths, average [places]float64
	for i, t := range tools {
		words[i] = t.words()
		for _, counts := range words[i] {
			for place, n := range counts {
				lengths[place] += n
			}
		}
	}
	for place := range average {
		average[place] = max(1, lengths[place]/float64(max(1, len(tools))))
	}
	for i := range tools {
		x.add(i, words[i], average)
	}
	for word, list := range x.postings {
		rarity := math.Log(1 + (float64(len(tools))-float64(len(list))+0.5)/(float64(len(list))+0.5))
		for i, p := range list {
			often := float64(p.score)
			list[i].score = float32(rarity * often * (saturation + 1) / (often + saturation))
		}
		x.postings[word] = slices.Clip(list)
	}
	return x
}

// add enters how often each word speaks for a tool, place by place.
func (x *Index) add(tool int, words map[string]*[places]float64, average [places]float64) {
	var lengths [places]float64
	for _, counts := range words {
		for place, n := range counts {
			lengths[place] += n
		}
	}
	for word, counts := range words {
		often := 0.0
		for place, n := range counts {
			often += placeWeights[place] * n / (1 - lengthWeight + lengthWeight*lengths[place]/average[place])
		}
		x.postings[word] = append(x.postings[word], posting{int32(tool), float32(often)})
	}
}

// words counts the words of a tool by place.
func (t *Tool) words() map[string]*[places]float64 {
	counts := map[string]*[places]float64{}
	add := func(text string, place int) {
		for word := range indexWords(text) {
			if counts[word] == nil {
				counts[word] = new([places]float64)
			}
			counts[word][place]++
		}
	}
	add(t.Name, inName)
	add(t.Title, inTitle)
	for _, tag := range t.Tags {
		add(tag, inTitle)
	}
	add(t.Description, inText)
	if t.plan != nil {
		for _, a := range t.plan.args {
			add(a.name, inArgument)
		}
	} else { // a tool that was not imported here
		var s struct{ Properties map[string]json.RawMessage }
		_ = json.Unmarshal(t.InputSchema, &s)
		for name := range s.Properties {
			add(name, inArgument)
		}
	}
	for _, segment := range strings.Split(t.Path, "/") {
		if !strings.Contains(segment, "{") {
			add(segment, inArgument)
		}
	}
	return counts
}

// Search returns at most limit tools that hold a word of the query, the best first; those that allow refuses are as if
// they were not there. allow may be nil.
func (x *Index) Search(query string, limit int, allow func(name string) bool) []Hit {
	var words []string
	for word := range indexWords(shorten(query, 1000)) {
		if !slices.Contains(words, word) {
			words = append(words, word)
		}
	}
	scores := make([]float32, len(x.tools))
	for _, word := range words {
		for _, p := range x.postings[word] {
			scores[p.tool] += p.score
		}
		for _, other := range alike(word) {
			if slices.Contains(words, other) {
				continue
			}
			for _, p := range x.postings[other] {
				scores[p.tool] += p.score * alikeWeight
			}
		}
	}
	var best []Hit
	for i, score := range scores {
		if score == 0 || limit <= 0 || len(best) == limit && float64(score) <= best[limit-1].Score {
			continue
		}
		if allow != nil && !allow(x.tools[i].Name) {
			continue
		}
		// Behind all that are as good: the list's order breaks ties.
		at, _ := slices.BinarySearchFunc(best, float64(score), func(h Hit, s float64) int {
			if h.Score >= s {
				return -1
			}
			return 1
		})
		if len(best) == limit {
			best = best[:limit-1]
		}
		best = slices.Insert(best, at, Hit{x.tools[i], float64(score)})
	}
	return best
}

// Len is the number of tools in the index.
func (x *Index) Len() int { return len(x.tools) }

// indexWords gives the words of a text in order: split at everything that is no letter or digit and in camelCase, lower
// case, plurals folded, without words that say nothing.
func indexWords(text string) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		start := -1
		var before, last rune
		flush := func(end int) bool {
			if start < 0 {
				return true
			}
			word := foldPlural(strings.ToLower(text[start:end]))
			start = -1
			return len(word) > 64 || isStopWord(word) || yield(word)
		}
		for i, r := range text {
			letter := unicode.IsLetter(r) || unicode.IsDigit(r)
			switch {
			case !letter:
				if !flush(i) {
					return
				}
			case start >= 0 && unicode.IsUpper(r) && !unicode.IsUpper(last): // camelCase
				if !flush(i) {
					return
				}
				start = i
			case start >= 0 && unicode.IsLower(r) && unicode.IsUpper(last) && unicode.IsUpper(before): // HTTPServer: HTTP Server
				if at := i - len(string(last)); at > start {
					if !flush(at) {
						return
					}
					start = at
				}
			case start < 0:
				start = i
			}
			before, last = last, r
		}
		flush(len(text))
	}
}

// alikeWeight is what a verb counts that means nearly what the query says.
const alikeWeight = 0.5

// alike gives the verbs with which operations are named, for those that people use.
func alike(word string) []string {
	switch word {
	case "new", "add", "make", "open", "publish", "post", "write", "start", "register", "submit":
		return []string{"create"}
	case "create":
		return []string{"add"}
	case "show", "read", "fetch", "view", "see", "display", "look":
		return []string{"get", "list"}
	case "change", "edit", "modify", "rename", "correct":
		return []string{"update"}
	case "set", "save", "store":
		return []string{"update", "create"}
	case "remove", "destroy", "erase", "drop":
		return []string{"delete"}
	case "delete":
		return []string{"remove"}
	case "find", "lookup":
		return []string{"search", "list"}
	}
	return nil
}

// foldPlural makes one word of an English noun's singular and plural.
func foldPlural(w string) string {
	switch {
	case len(w) < 4 || !strings.HasSuffix(w, "s") || strings.HasSuffix(w, "ss") || strings.HasSuffix(w, "us") || strings.HasSuffix(w, "is"):
		return w
	case strings.HasSuffix(w, "ies") && len(w) > 4:
		return w[:len(w)-3] + "y"
	}
	for _, ending := range [...]string{"sses", "shes", "ches", "xes", "zes"} {
		if strings.HasSuffix(w, ending) {
			return w[:len(w)-2]
		}
	}
	return w[:len(w)-1]
}

// isStopWord lists words that stand in every text and every question.
func isStopWord(w string) bool {
	switch w {
	case "", "a", "about", "all", "am", "an", "and", "any", "are", "as", "at", "be", "been", "but", "by", "can", "could", "did", "do", "doe", "does",
		"for", "from", "had", "has", "have", "how", "i", "if", "in", "into", "is", "it", "its", "let", "me", "my", "no", "not", "of", "on", "one", "or",
		"our", "please", "s", "shall", "should", "so", "some", "such", "t", "than", "that", "the", "their", "them", "then", "there", "these", "they",
		"this", "those", "to", "was", "we", "were", "what", "when", "where", "which", "who", "will", "with", "would", "you", "your", "want", "need":
		return true
	}
	return false
}
