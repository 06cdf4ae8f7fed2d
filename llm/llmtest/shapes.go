package llmtest

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"strings"
)

// created is the time that all answers tell.
const created = 1764000000

func (a Answer) pieces() []string {
	if a.Pieces == nil && a.ToolCall == nil {
		return []string{"Hello", ", ", "world", "!"}
	}
	return a.Pieces
}

func (a Answer) finish() string {
	switch {
	case a.Finish != "":
		return a.Finish
	case a.ToolCall != nil:
		return "tool_calls"
	}
	return "stop"
}

// Reported returns the usage that the answer tells.
func (a Answer) Reported() Usage {
	if a.Usage != nil {
		return *a.Usage
	}
	return Usage{Prompt: 9, Completion: 4}
}

func (u Usage) json() string {
	return fmt.Sprintf(`{"prompt_tokens":%d,"completion_tokens":%d,"total_tokens":%d,"prompt_tokens_details":{"cached_tokens":%d,"audio_tokens":0},`+
		`"completion_tokens_details":{"reasoning_tokens":%d,"audio_tokens":0,"accepted_prediction_tokens":0,"rejected_prediction_tokens":0}}`,
		u.Prompt, u.Completion, u.Prompt+u.Completion, u.Cached, u.Reasoning)
}

const notFiltered = `{"hate":{"filtered":false,"severity":"safe"},"self_harm":{"filtered":false,"severity":"safe"},` +
	`"sexual":{"filtered":false,"severity":"safe"},"violence":{"filtered":false,"severity":"safe"}}`

// JSON returns the body of the answer to a request that is no stream.
func (a Answer) JSON() string {
	if a.Body != "" {
		return a.Body
	}
	message := map[string]any{"role": "assistant", "content": strings.Join(a.pieces(), ""), "refusal": nil, "annotations": []any{}}
	if c := a.ToolCall; c != nil {
		message["content"] = nil
		message["tool_calls"] = []any{map[string]any{"id": c.ID, "type": "function", "function": map[string]any{"name": c.Name, "arguments": c.Arguments}}}
	}
	text := marshal(message)
	var azure, filter, usage string
	if a.Azure {
		filter = `,"content_filter_results":` + notFiltered
		azure = `,"prompt_filter_results":[{"prompt_index":0,"content_filter_results":` + notFiltered + `}]`
	}
	if !a.NoUsage {
		usage = `,"usage":` + a.Reported().json()
	}
	out := fmt.Sprintf(`{"id":"chatcmpl-Test1","object":"chat.completion","created":%d,"model":"gpt-4o-2024-08-06","choices":[{"index":0,"message":%s,`+
		`"logprobs":null,"finish_reason":%q%s}]%s,"service_tier":"default","system_fingerprint":"fp_test"%s}`, created, text, a.finish(), filter, usage, azure)
	if a.Fault == WhitespaceJSON {
		out = "\n{ \"x\" : 1e3,  \"big\":12345678901234567890,\n" + out[1:] + "\n"
	}
	return out
}

func marshal(v any) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		panic(err) // texts and maps of texts always have a JSON form
	}
	return strings.TrimSuffix(b.String(), "\n")
}

func (a Answer) whole(w http.ResponseWriter, _ question) {
	body := a.JSON()
	if a.Fault == NotJSON {
		body = "<html>oops</html>"
	}
	a.write(w, http.StatusOK, body)
}

func (a Answer) write(w http.ResponseWriter, status int, body string) {
	w.Header().Set("Content-Type", "application/json")
	if a.Fault == Gzip {
		body = string(zipped(body))
		w.Header().Set("Content-Encoding", "gzip")
	}
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	if a.Fault == ResetMidway || a.Fault == EOFMidway {
		_, _ = w.Write([]byte(body[:len(body)/2]))
		_ = http.NewResponseController(w).Flush()
		reset(w)
		return
	}
	_, _ = w.Write([]byte(body))
}

func zipped(body string) []byte {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, _ = z.Write([]byte(body)) // into memory
	_ = z.Close()
	return b.Bytes()
}

// refuse answers with an error status, in the style of the provider.
func (a Answer) refuse(w http.ResponseWriter) {
	body := a.Body
	if body == "" {
		kind, code := "server_error", "null"
		switch {
		case a.Status == http.StatusTooManyRequests:
			kind, code = "tokens", `"rate_limit_exceeded"`
			if a.Azure {
				kind, code = "", `"429"`
			}
		case a.Status == http.StatusUnauthorized:
			kind, code = "invalid_request_error", `"invalid_api_key"`
		case a.Status < http.StatusInternalServerError:
			kind, code = "invalid_request_error", `"bad"`
		}
		body = fmt.Sprintf(`{"error":{"message":"upstream says %d at host-7.internal","type":%q,"param":null,"code":%s}}`, a.Status, kind, code)
	}
	a.write(w, a.Status, body)
}

// embed answers with vectors of eight numbers that depend on the input.
func (a Answer) embed(w http.ResponseWriter, q question) {
	inputs := []any{q.Input}
	if list, ok := q.Input.([]any); ok && len(list) > 0 {
		if _, isToken := list[0].(float64); !isToken {
			inputs = list
		}
	}
	data := make([]string, len(inputs))
	for i, in := range inputs {
		data[i] = fmt.Sprintf(`{"object":"embedding","index":%d,"embedding":%s}`, i, vector(fmt.Sprint(in), q.EncodingFormat))
	}
	usage := ""
	if !a.NoUsage {
		usage = fmt.Sprintf(`,"usage":{"prompt_tokens":%d,"total_tokens":%[1]d}`, a.Reported().Prompt)
	}
	a.write(w, http.StatusOK, `{"object":"list","data":[`+strings.Join(data, ",")+`],"model":"text-embedding-3-small"`+usage+`}`)
}

func vector(text, format string) string {
	v := make([]float32, 8)
	for i, r := range text {
		v[i%8] += float32(r) / 1000
	}
	if format == "base64" {
		raw := make([]byte, 0, 32)
		for _, x := range v {
			raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(x))
		}
		return strconv.Quote(base64.StdEncoding.EncodeToString(raw))
	}
	return marshal(v)
}
