// Package oauthtest is what the broker's tests stand on: a fake Entra set up by a struct, a store in memory, and the suites
// that every store must pass.
//
//	Entra (httptest server, fault switches) ◀─ entra.New      Memory ◀─ handlers under test
//	RunStore(t, newStore) ─▶ one suite per interface of package oauth
package oauthtest
