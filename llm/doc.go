// Package llm is the face for applications that talk to language models: it speaks the wire shapes of OpenAI and Azure
// OpenAI to callers and to providers, and owns no road of its own. A request is parsed once into a small view, handed to
// the shared pipeline, and its answer is copied back as it comes, while usage is read on the side.
//
//	request ─ authenticate ─ body view ─ model ─ proxy.Call ─▶ Doer (limits, cache, pool, credential)
//	                                                             │
//	caller ◀─ bytes ─ JSON: settle, then answer ◀────────────────┤
//	caller ◀─ events ─ stream: relay, read usage, settle ◀───────┘
//
// The caller's bytes travel untouched; what must change (model, token cap, stream_options, set_argument) is spliced in
// place. Every ending settles exactly once. Counting texts is llm/tokens, a model for trying things out is llm/builtin,
// a scriptable provider for tests is llm/llmtest. Who may call what is decided by others and handed in.
package llm
