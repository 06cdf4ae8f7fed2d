package tokens

// The patterns of the encodings, each as a scanner that says where the piece that begins at an offset ends. Every
// character is looked at a bounded number of times, so splitting is linear.
//
//	o200k   [^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?
//	        [^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?
//	        \p{N}{1,3}      ` ?[^\s\p{L}\p{N}]+[\r\n/]*`      \s*[\r\n]+      \s+(?!\S)      \s+
//	cl100k  (?i:'s|'t|'re|'ve|'m|'ll|'d)      [^\r\n\p{L}\p{N}]?\p{L}+
//	        \p{N}{1,3}      ` ?[^\s\p{L}\p{N}]+[\r\n]*`       \s*[\r\n]+      \s+(?!\S)      \s+
//	r50k    's|'t|'re|'ve|'m|'ll|'d      ` ?\p{L}+`      ` ?\p{N}+`      ` ?[^\s\p{L}\p{N}]+`      \s+(?!\S)      \s+

func splitO200k(c *classes, text string, at int) int {
	first, width := c.at(text, at)
	if end := c.word(text, at, first, width); end > at {
		return end
	}
	if first&number != 0 {
		return c.digits(text, at)
	}
	end := c.symbols(text, at)
	if end == at {
		return c.blanks(text, at, true)
	}
	for end < len(text) && (text[end] == '\r' || text[end] == '\n' || text[end] == '/') {
		end++
	}
	return end
}

// word matches the first two alternatives of o200k, or nothing. A regular expression tries, in this order: the first with
// a leading character, the first without, the second with, the second without. Only a mark can both lead and begin a
// word; then the first alternative matches at least the mark itself, and the second is never reached.
func (c *classes) word(text string, at int, first class, width int) (end int) {
	from := at
	if first&(letter|number|newline) == 0 {
		from += width
	}
	end, ok := c.mixed(text, from)
	switch {
	case ok:
	case first&mark != 0:
		end, _ = c.mixed(text, at)
	case end == from:
		return at
	}
	return contraction(text, end, true)
}

// mixed matches a run without lower case, then at least one character that is not upper case. When no lower case follows,
// the run gives back its end until it ends with a character of neither case. When there is none (not ok), all of
// text[at:end] is upper case, which is what the second alternative takes.
func (c *classes) mixed(text string, at int) (end int, ok bool) {
	neither := -1 // end of the last such character
	for end = at; ; {
		is, width := c.at(text, end)
		if is&lower != 0 {
			return c.run(text, end, lower|other|mark), true
		}
		if is&(upper|other|mark) == 0 {
			break
		}
		end += width
		if is&(other|mark) != 0 {
			neither = end
		}
	}
	if neither >= 0 {
		return neither, true
	}
	return end, false
}

func splitCL100k(c *classes, text string, at int) int {
	if end := contraction(text, at, true); end > at {
		return end
	}
	first, width := c.at(text, at)
	from := at
	if first&(letter|number|newline) == 0 {
		from += width
	}
	if end := c.run(text, from, letter); end > from {
		return end
	}
	if first&number != 0 {
		return c.digits(text, at)
	}
	end := c.symbols(text, at)
	if end == at {
		return c.blanks(text, at, true)
	}
	for end < len(text) && (text[end] == '\r' || text[end] == '\n') {
		end++
	}
	return end
}

func splitR50k(c *classes, text string, at int) int {
	if end := contraction(text, at, false); end > at {
		return end
	}
	from := at
	if text[at] == ' ' {
		from++
	}
	if end := c.run(text, from, letter); end > from {
		return end
	}
	if end := c.run(text, from, number); end > from {
		return end
	}
	if end := c.symbols(text, at); end > at {
		return end
	}
	return c.blanks(text, at, false)
}

// digits matches \p{N}{1,3}.
func (c *classes) digits(text string, at int) int {
	for range 3 {
		is, width := c.at(text, at)
		if is&number == 0 {
			break
		}
		at += width
	}
	return at
}

// symbols matches ` ?[^\s\p{L}\p{N}]+`, or nothing.
func (c *classes) symbols(text string, at int) int {
	from := at
	if text[at] == ' ' {
		from++
	}
	if end := c.runWithout(text, from, space|letter|number); end > from {
		return end
	}
	return at
}

// blanks matches what the last alternatives take of a run of white space: up to its last newline, where the encoding has
// \s*[\r\n]+; else all of it at the end of the text; else all but its last character, which goes with the next word.
func (c *classes) blanks(text string, at int, lines bool) int {
	end, last, newlineEnd := at, at, -1
	for {
		is, width := c.at(text, end)
		if width == 0 || is&space == 0 {
			break
		}
		last, end = end, end+width
		if is&newline != 0 {
			newlineEnd = end
		}
	}
	switch {
	case lines && newlineEnd >= 0:
		return newlineEnd
	case end == len(text) || last == at:
		return end
	default:
		return last
	}
}

// contraction returns the end of 's, 't, 're, 've, 'm, 'll or 'd at an offset, or the offset itself. Folding case makes
// the long s (U+017F) an s too.
func contraction(text string, at int, fold bool) int {
	rest := text[at:]
	if len(rest) < 2 || rest[0] != '\'' {
		return at
	}
	if fold && len(rest) >= 3 && rest[1:3] == "\u017f" {
		return at + 3
	}
	a, b := rest[1], byte(0)
	if len(rest) > 2 {
		b = rest[2]
	}
	if fold {
		a, b = a|0x20, b|0x20 // of ASCII only letters become letters by this
	}
	switch {
	case a == 's' || a == 't' || a == 'm' || a == 'd':
		return at + 2
	case a == 'r' && b == 'e', a == 'v' && b == 'e', a == 'l' && b == 'l':
		return at + 3
	default:
		return at
	}
}
