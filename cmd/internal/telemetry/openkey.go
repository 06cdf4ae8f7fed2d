package telemetry

import (
	"log/slog"
	"maps"
	"strings"
	"sync"
	"sync/atomic"
)

// maxKeys bounds what is remembered of keys. They are words of the program; should they ever be others', they are worked
// out each time.
const maxKeys = 256

// keys remembers how keys whose values may be shown are written, comma and colon included.
type keys struct {
	known  atomic.Pointer[map[string]string]
	adding sync.Mutex
}

var openKeys keys

// of returns how key is written; "" when its value is hidden, or redact passes it by.
func (k *keys) of(key string) string {
	if m := k.known.Load(); m != nil {
		if text, ok := (*m)[key]; ok {
			return text
		}
	}
	return k.learn(key)
}

func (k *keys) learn(key string) string {
	text := ""
	if lower := strings.ToLower(key); !reserved(key) && (!suspicious(lower) || harmless[lower]) {
		text = string(appendText([]byte{','}, key)) + ":"
	}
	k.adding.Lock()
	defer k.adding.Unlock()
	next := map[string]string{}
	if m := k.known.Load(); m != nil {
		if len(*m) >= maxKeys {
			return text
		}
		next = maps.Clone(*m)
	}
	next[strings.Clone(key)] = text
	k.known.Store(&next)
	return text
}

// reserved keys are slog's own.
func reserved(key string) bool {
	return key == slog.TimeKey || key == slog.LevelKey || key == slog.MessageKey
}
