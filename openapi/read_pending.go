package openapi

import (
	"errors"
	"net/http"
)

// ReadResult reads an answer.
func (t *Tool) ReadResult(resp *http.Response, o ReadOptions) (*Result, error) {
	return nil, errors.New("not built yet")
}
