package openapi

import (
	"fmt"
	"strings"
)

const maxWarnings = 500

// warnings collects what an import has to say, each thing once.
type warnings struct {
	list  []Warning
	known map[Warning]bool
	more  int
}

func newWarnings() *warnings { return &warnings{known: map[Warning]bool{}} }

// add notes a warning at a node.
func (w *warnings) add(n *node, message string) { w.at(n.at(), message) }

func (w *warnings) at(place, message string) {
	message, _ = visible(strings.Join(strings.Fields(message), " "))
	warning := Warning{At: place, Message: shorten(message, 300)}
	if w.known[warning] {
		return
	}
	if len(w.list) >= maxWarnings {
		w.more++
		return
	}
	w.known[warning] = true
	w.list = append(w.list, warning)
}

func (w *warnings) all() []Warning {
	if w.more == 0 {
		return w.list
	}
	return append(w.list, Warning{Message: fmt.Sprintf("lint: … and %d more", w.more)})
}
