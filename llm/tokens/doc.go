// Package tokens counts tokens as OpenAI's tiktoken does (llm.md §6): own splitter, own byte-pair merge, no regular
// expressions and nothing that a prompt can make slow. It knows texts only; what surrounds a text in a request (roles,
// tools, images) is counted by llm with the numbers of a Family.
//
//	model name ─ ForModel ─▶ Family ─ Encoding ─┐
//	text ─ split (one scanner per pattern) ─▶ pieces ─ merge (ranks of the vocabulary) ─▶ count
//	requests ─ Counter: exact up to a limit, so many at a time, long prompts remembered ─▶ count
//
// The vocabularies are OpenAI's data, embedded in the module tiktoken-go-loader (MIT). Each is unpacked when it is first
// needed, once per process: that memo is the only state of the package, and it never changes afterwards.
package tokens
