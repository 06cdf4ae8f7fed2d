package eventstream

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

// read returns what Next gave, one entry per call.
func read(r io.Reader) (got []string, err error) {
	s := NewReader(r, 1<<10)
	for {
		b, err := s.Next()
		if err != nil {
			return got, err
		}
		got = append(got, string(b))
	}
}

func TestOnlyWholeEventsAreReturned(t *testing.T) {
	for name, c := range map[string]struct{ in, want string }{
		"LF":                   {"data: 1\n\ndata: 2\n\n", "data: 1\n\ndata: 2\n\n"},
		"CR LF":                {"id: 1\r\ndata: 1\r\n\r\n", "id: 1\r\ndata: 1\r\n\r\n"},
		"CR":                   {"data: 1\r\rdata: 2\r\r", "data: 1\r\rdata: 2\r\r"},
		"a comment":            {": ping\n\n", ": ping\n\n"},
		"broken in the middle": {"data: 1\n\ndata: 2\n", "data: 1\n\n"},
		"broken in a line":     {"data: 1\n\ndata: {\"a", "data: 1\n\n"},
		"nothing":              {"", ""},
		"a byte order mark":    {"\uFEFFdata: 1\n\ndata: \uFEFF2\n\n", "data: 1\n\ndata: \uFEFF2\n\n"},
		"two of them":          {"\uFEFF\uFEFFdata: 1\n\n", "\uFEFFdata: 1\n\n"},
		"half of one":          {"\xef\xbb\n\n", "\xef\xbb\n\n"},
		"only half of one":     {"\xef", ""},
		"no end at all":        {"data: 1", ""},
	} {
		t.Run(name, func(t *testing.T) {
			for _, r := range []io.Reader{strings.NewReader(c.in), iotest.OneByteReader(strings.NewReader(c.in)), iotest.HalfReader(strings.NewReader(c.in))} {
				got, err := read(r)
				if joined := strings.Join(got, ""); joined != c.want || !errors.Is(err, io.EOF) {
					t.Errorf("got %q, %v; want %q", joined, err, c.want)
				}
			}
		})
	}
}

func TestEventsComeAsSoonAsTheyAreWhole(t *testing.T) { // X7
	r, w := io.Pipe()
	defer r.Close()
	s := NewReader(r, 0)
	go func() { _, _ = w.Write([]byte("data: 1\n\ndata: 2")) }()
	if got, err := s.Next(); err != nil || string(got) != "data: 1\n\n" {
		t.Errorf("Next = %q, %v", got, err)
	}
}

func TestAnEventHasALimit(t *testing.T) {
	if _, err := read(strings.NewReader("data: " + strings.Repeat("x", 10<<10))); !errors.Is(err, ErrTooLarge) {
		t.Errorf("err = %v, want ErrTooLarge", err)
	}
}

func TestDataOfAnEvent(t *testing.T) {
	for in, want := range map[string]string{
		"data: 1\n\n": "1", "data:1\n\n": "1", "data:  1\n\n": " 1", "id: 3\r\ndata: {\r\ndata: }\r\n\r\n": "{\n}",
		": c\n\n": "", "retry: 5\n\n": "", "datas: 1\n\n": "", "data\n\n": "", "event: message\ndata: x": "x",
	} {
		if got := string(Data([]byte(in))); got != want {
			t.Errorf("Data(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestOnlyEventsOfTypeMessageBearMessages(t *testing.T) { // HTML §9.2.6
	for in, want := range map[string]string{
		"data: 1\n\n": "1", "event: message\ndata: 1\n\n": "1", "event:message\r\ndata: 1\r\n\r\n": "1", "event\ndata: 1\n\n": "1", "event: \ndata: 1\n\n": "1",
		"event: ping\ndata: 2026\n\n": "", "data: 1\nevent: endpoint\n\n": "", "event: message\nevent: x\ndata: 1\n\n": "", "event: x\nevent: message\ndata: 1\n\n": "1",
		"events: x\ndata: 1\n\n": "1", ": c\n\n": "",
	} {
		if got := string(Message([]byte(in))); got != want {
			t.Errorf("Message(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestSplitTakesOneEvent(t *testing.T) {
	for in, want := range map[string]string{
		"data: 1\n\ndata: 2\n\n": "data: 1\n\n", "data: 1\r\n\r\ndata: 2\r\n\r\n": "data: 1\r\n\r\n", "data: 1\n\n": "data: 1\n\n", "data: 1": "data: 1",
	} {
		first, rest := Split([]byte(in))
		if string(first) != want || string(first)+string(rest) != in {
			t.Errorf("Split(%q) = %q, %q", in, first, rest)
		}
	}
}

// FuzzReader: however the bytes come, the same events are cut out of them, and nothing is changed or made up.
func FuzzReader(f *testing.F) {
	for _, seed := range []string{"data: 1\n\n", "data: 1\r\n\r\n: x\r\r", "\n\n\r\n\ra\n\nb", "\r\n\r\n\r\n", "\uFEFFa\n\n"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		if len(in) > 1<<10 {
			return
		}
		whole, _ := read(bytes.NewReader(in))
		single, _ := read(iotest.OneByteReader(bytes.NewReader(in)))
		a, b := strings.Join(whole, ""), strings.Join(single, "")
		in = bytes.TrimPrefix(in, mark)
		// The LF of a last CR LF may or may not have come when the event was returned.
		if strings.TrimRight(a, "\n") != strings.TrimRight(b, "\n") || !strings.HasPrefix(string(in), a) || !strings.HasPrefix(string(in), b) {
			t.Errorf("%q: %q, byte for byte %q", in, a, b)
		}
		for rest := in; len(rest) > 0; {
			var first []byte
			if first, rest = Split(rest); len(first) == 0 {
				t.Fatal("Split makes no progress")
			}
			_ = Data(first)
		}
	})
}
