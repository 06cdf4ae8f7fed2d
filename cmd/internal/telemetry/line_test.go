package telemetry

import (
	"bytes"
	"errors"
	"log/slog"
	"math"
	"testing"
	"time"
)

func TestLinesOfRequestsAreWhatTheLogHandlerWrites(t *testing.T) {
	at := time.Date(2026, 11, 21, 3, 4, 5, 678_900_000, time.UTC)
	attrs := []slog.Attr{
		slog.String("a", "plain"), slog.String("b", `quote " and \ back`), slog.String("c", "line\nbreak\u2028 é 漢 \xff"), slog.String("d", ""),
		slog.Int("e", -7), slog.Uint64("f", math.MaxUint64), slog.Bool("g", true), slog.Float64("h", 12.345), slog.Float64("i", 0),
		slog.Duration("j", time.Second), slog.String("k", "Bearer abcdefghijkl"), slog.String("authorization", "visible"), slog.Int("tokens_in", 3),
		slog.String("l", "<a&b>"), slog.Float64("m", 100),
	}
	for name, extra := range map[string]slog.Attr{
		"nothing": slog.Int("n", 1), "a group": slog.Group("n", "x", 1), "an error": slog.Any("n", errors.New("x")), "a time": slog.Time("n", at),
		"a tiny number": slog.Float64("n", 1e-9),
	} {
		t.Run(name, func(t *testing.T) {
			all := append(attrs[:len(attrs):len(attrs)], extra)
			var direct, through bytes.Buffer
			q := &Requests{Log: NewLogger(&direct, Options{Format: "json"}).With("instance", "one"), Now: func() time.Time { return at }}
			q.write(t.Context(), at, slog.LevelWarn, all)
			q.Log = slog.New(&handler{Handler: slog.NewJSONHandler(&through, &slog.HandlerOptions{ReplaceAttr: redact})}).With("instance", "one")
			q.write(t.Context(), at, slog.LevelWarn, append([]slog.Attr(nil), attrs[:len(attrs):len(attrs)]...))
			if got, want := direct.String(), through.String(); name == "nothing" && got != want[:len(want)-2]+",\"n\":1}\n" {
				t.Errorf("got\n%swant\n%s", got, want)
			}
			if n := bytes.Count(direct.Bytes(), []byte("\n")); n != 1 || !bytes.Contains(direct.Bytes(), []byte(`"n":`)) {
				t.Errorf("%d lines: %s", n, direct.String())
			}
		})
	}
}
