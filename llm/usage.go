package llm

import (
	"github.com/drawbridge-mcp/drawbridge/llm/internal/jsonscan"
	"github.com/drawbridge-mcp/drawbridge/proxy"
)

// readUsage reads the usage object of an OpenAI answer; ok is false when it tells nothing (ST-7). Cached tokens are a part
// of the prompt's and reasoning tokens a part of the answer's, as proxy.Usage wants them.
func readUsage(raw []byte) (u proxy.Usage, ok bool) {
	if len(raw) == 0 || raw[0] != '{' {
		return u, false
	}
	err := jsonscan.Members(raw, func(key, value []byte) error {
		switch string(key) {
		case "prompt_tokens":
			ok = readCount(&u.Input, value) || ok
		case "completion_tokens":
			ok = readCount(&u.Output, value) || ok
		case "prompt_tokens_details":
			readDetail(&u.Cached, value, "cached_tokens")
		case "completion_tokens_details":
			readDetail(&u.Reasoning, value, "reasoning_tokens")
		}
		return nil
	})
	if err != nil || !ok {
		return proxy.Usage{}, false
	}
	u.Cached, u.Reasoning = min(u.Cached, u.Input), min(u.Reasoning, u.Output)
	u.Source = proxy.UsageProvider
	return u, true
}

// maxTokens is more than any answer has: a provider's nonsense must not overflow sums.
const maxTokens = 1 << 40

func readCount(into *int, raw []byte) bool {
	n, ok := jsonscan.Int(raw)
	if !ok || n < 0 || n > maxTokens {
		return false
	}
	*into = n
	return true
}

func readDetail(into *int, raw []byte, name string) {
	if len(raw) == 0 || raw[0] != '{' {
		return // null, as some providers say
	}
	_ = jsonscan.Members(raw, func(key, value []byte) error { // raw was walked with what it is in
		if string(key) == name {
			readCount(into, value)
		}
		return nil
	})
}
