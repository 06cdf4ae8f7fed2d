package strictyaml

// Suggest returns the candidate nearest to s within edit distance 2, or "" (C3). A candidate that shares nothing with s
// is never offered.
func Suggest(s string, candidates []string) string {
	best, at := "", 3
	if len(s) > 100 {
		return ""
	}
	for _, c := range candidates {
		if d := distance([]rune(s), []rune(c)); d < at && d < max(len([]rune(c)), len([]rune(s))) {
			best, at = c, d
		}
	}
	return best
}

// distance is the edit distance in which swapping two neighbours counts as one edit.
func distance(a, b []rune) int {
	if len(a)-len(b) > 2 || len(b)-len(a) > 2 {
		return 3
	}
	var before []int
	prev := make([]int, len(b)+1)
	for j := range prev {
		prev[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row := make([]int, len(b)+1)
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(prev[j]+1, row[j-1]+1, prev[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, prev = prev, row
	}
	return prev[len(b)]
}
