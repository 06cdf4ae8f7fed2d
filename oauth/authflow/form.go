package authflow

import (
	"errors"
	"mime"
	"net/http"
	"net/url"
	"strings"
)

const (
	maxForm  = 16 << 10
	maxQuery = 16 << 10
	maxParam = 4 << 10
)

// checkSource makes sure that a form post comes from a page of ours (oauth.md §5.3 rows 1 to 3).
func checkSource(r *http.Request, publicURL string) error {
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/x-www-form-urlencoded" {
		return errors.New("content type is not that of a form")
	}
	site := r.Header.Values("Sec-Fetch-Site")
	if len(site) > 1 || len(site) == 1 && site[0] != "same-origin" {
		return errors.New("sent from another site")
	}
	switch origin := r.Header.Values("Origin"); {
	case len(origin) > 1:
		return errors.New("more than one origin")
	case len(origin) == 1 && origin[0] != publicURL:
		return errors.New("another origin")
	case len(origin) == 0 && len(site) == 0 && !strings.HasPrefix(r.Header.Get("Referer"), publicURL+"/"):
		return errors.New("no word about where it came from")
	}
	return nil
}

// readForm reads a form of ours: each field once, at most 16 KiB. The query is not part of it.
func readForm(w http.ResponseWriter, r *http.Request) (url.Values, error) {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		return nil, errors.New("unreadable form")
	}
	for _, v := range r.PostForm {
		if len(v) != 1 {
			return nil, errors.New("a field came twice")
		}
	}
	return r.PostForm, nil
}

// guardForm is the check of every form of ours before its own: source and shape.
func (h *Handler) guardForm(w http.ResponseWriter, r *http.Request) (url.Values, error) {
	if err := checkSource(r, h.PublicURL); err != nil {
		return nil, forgedForm(err)
	}
	form, err := readForm(w, r)
	if err != nil {
		return nil, forgedForm(err)
	}
	return form, nil
}
