package llm

import "net/http"

func (h *Handler) serve(w http.ResponseWriter, r *http.Request, path string) {
}
