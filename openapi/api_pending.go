package openapi

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
)

var errPending = errors.New("not built yet")

type plan struct{}

// Import reads one document and turns its operations into tools.
func Import(ctx context.Context, src Source, o Options) (*Document, error) { return nil, errPending }

// BuildRequest checks the arguments and makes the request.
func (t *Tool) BuildRequest(ctx context.Context, base *url.URL, args json.RawMessage) (*http.Request, error) {
	return nil, errPending
}

// ReadResult reads an answer.
func (t *Tool) ReadResult(resp *http.Response, o ReadOptions) (*Result, error) {
	return nil, errPending
}

// WriteJSON writes the import report as `drawbridge import --format json` prints it.
func (d *Document) WriteJSON(w io.Writer) error { return errPending }

// WriteYAML writes the same as YAML.
func (d *Document) WriteYAML(w io.Writer) error { return errPending }

// WriteText writes the report for people.
func (d *Document) WriteText(w io.Writer) error { return errPending }
