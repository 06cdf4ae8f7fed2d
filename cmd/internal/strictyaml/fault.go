package strictyaml

import (
	"fmt"
	"sort"
)

// maxFaults is how many faults one run tells (C8).
const maxFaults = 100

// Fault is one thing wrong with a file. Message never holds the text of a secret.
type Fault struct {
	File    string `json:"file"`   // as the user typed it
	Line    int    `json:"line"`   // from 1; 0: the fault has no place in the file
	Column  int    `json:"column"` // from 1, in characters
	Path    string `json:"path"`   // mcp_servers[0].access.roles[1]; "": the whole file
	Message string `json:"message"`
}

// String is the line that commands print: file:line:col: path: message.
func (f Fault) String() string { return f.prefix() + f.Message }

// Warning is String for a fault that is only a warning.
func (f Fault) Warning() string { return f.prefix() + "warning: " + f.Message }

func (f Fault) prefix() string {
	s := f.File
	if f.Line > 0 {
		s = fmt.Sprintf("%s:%d:%d", s, f.Line, f.Column)
	}
	if s != "" {
		s += ": "
	}
	if f.Path != "" {
		s += f.Path + ": "
	}
	return s
}

// Sort puts faults into file order; those of one place keep their order. Repeated ones, as an alias makes them, go.
func Sort(faults []Fault) []Fault {
	sort.SliceStable(faults, func(i, j int) bool {
		a, b := faults[i], faults[j]
		if a.File != b.File {
			return a.File < b.File
		}
		if a.Line != b.Line {
			return a.Line < b.Line
		}
		return a.Column < b.Column
	})
	seen := make(map[Fault]bool, len(faults))
	out := faults[:0]
	for _, f := range faults {
		if !seen[f] {
			seen[f] = true
			out = append(out, f)
		}
	}
	return out
}

// Limit returns at most 100 faults, followed by one that tells how many more there are (C8).
func Limit(faults []Fault) []Fault {
	if len(faults) <= maxFaults {
		return faults
	}
	more := Fault{Message: fmt.Sprintf("… and %d more", len(faults)-maxFaults)}
	return append(append([]Fault(nil), faults[:maxFaults]...), more)
}
