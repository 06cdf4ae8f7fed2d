// Package console is what people see of the gateway beside the sign-in pages: the portal at / with the servers they may
// use and how to connect to them, and the console at /admin with what is being served and how it is doing.
//
//	request ─ session cookie (oauth/authflow) ─▶ caller ─▶ what this person may see, from the snapshot ─▶ html/template
//
// Pages are made on the server, without scripts and without anything from elsewhere. The console is read only so far:
// everything comes from the configuration file, and the page says where to change it.
package console
