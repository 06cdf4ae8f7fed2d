package bridge

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net"
	"strings"
	"syscall"
	"time"

	"github.com/drawbridge-mcp/drawbridge/mcp/edge"
	"github.com/drawbridge-mcp/drawbridge/openapi"
	"github.com/drawbridge-mcp/drawbridge/proxy"
	"github.com/drawbridge-mcp/drawbridge/proxy/identity"
)

// Texts for models: what happened and never where (openapi.md §12). No host, port, certificate or dial error.
const (
	unavailable  = "the API is unavailable; try again later"
	refusedOurs  = "the gateway's credential for this API was refused; this is not about your sign-in"
	gatewayBusy  = "the gateway is busy; try again later"
	cannotHandle = "the request could not be made from these arguments"
)

// fault turns an error of the road into what the caller sees: what the tool did is a result with isError, which models
// read; what a policy of ours said is a JSON-RPC error (mcp.md §17).
func (c *call) fault(ctx context.Context, err error) (resultBody, error) {
	var bad *openapi.ArgumentError
	if errors.As(err, &bad) {
		return textResult(bad.Error(), true), nil // SEP-1303
	}
	var e *proxy.Error
	if !errors.As(err, &e) {
		return resultBody{}, &edge.Error{Code: edge.CodeInternal, Msg: "internal error", Err: fmt.Errorf("call %s: %w", c.tool.Name, err)}
	}
	identity.RequestFrom(ctx).Note(slog.String("error", e.Code))
	switch e.Kind {
	case proxy.Refused:
		return resultBody{}, edge.Refused(e)
	case proxy.Cancelled:
		return resultBody{}, e // nobody is there to read it
	case proxy.Internal:
		return resultBody{}, &edge.Error{Code: edge.CodeInternal, Msg: "internal error", Err: e}
	default:
		return textResult(c.faultText(e), true), nil
	}
}

func (c *call) faultText(e *proxy.Error) string {
	switch e.Kind {
	case proxy.Timeout:
		return c.tooSlow()
	case proxy.Unreachable:
		if errors.Is(e.Err, syscall.ECONNRESET) || errors.Is(e.Err, io.ErrUnexpectedEOF) || errors.Is(e.Err, io.EOF) {
			return openapi.BrokenOff
		}
		return openapi.Unreachable
	case proxy.Credential:
		return refusedOurs
	case proxy.Overloaded:
		return gatewayBusy
	case proxy.Invalid:
		return cannotHandle
	}
	if e.RetryAfter > 0 {
		return fmt.Sprintf("the API is unavailable; try again after %ds", seconds(e.RetryAfter))
	}
	return unavailable
}

func (c *call) tooSlow() string {
	if c.tool.Timeout <= 0 {
		return "the API did not answer in time"
	}
	return openapi.NoAnswer(short(c.tool.Timeout))
}

// short writes a duration as people do: 30s, 2m, 1m30s.
func short(d time.Duration) string {
	s := d.Round(time.Millisecond).String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	return s
}

// seconds rounds up: a client that waits so long is not too early.
func seconds(d time.Duration) int { return int(math.Ceil(d.Seconds())) }

func isTimeout(err error) bool {
	var e *proxy.Error // of the pipeline, whose clocks end a body that is too slow
	if errors.As(err, &e) && e.Kind == proxy.Timeout {
		return true
	}
	var timeout net.Error
	return errors.As(err, &timeout) && timeout.Timeout()
}
