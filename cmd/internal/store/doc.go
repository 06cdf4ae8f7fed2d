// Package store keeps what must outlive a call: clients, sign-ins, codes, grants, refresh tokens, sessions, and the usage
// ledger. It implements the store interfaces of the rooms over memory and SQLite; every backend passes the same suites
// (oauth/oauthtest).
//
//	storage.database ─ Open ─▶ lock file, migrations, key check ─▶ Store
//	oauth.Store    one transaction per method; secrets sealed, codes and tokens as hashes (oauth.md §16)
//	proxy.Recorder ─ Record ─▶ buffer ─ writer, at most a second later ─▶ ledger, packed in batches   (never on the call's path)
//	every 5 min    ─ Sweep ─▶ expired rows go
//
// SQLite has one connection that writes and four that read. A backend that this version does not have is refused by name.
package store
