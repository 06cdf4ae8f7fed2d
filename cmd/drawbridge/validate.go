package main

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"github.com/drawbridge-mcp/drawbridge/cmd/internal/strictyaml"
	"github.com/drawbridge-mcp/drawbridge/oauth/registration"
	"github.com/drawbridge-mcp/drawbridge/proxy/egress"
)

// validator checks what the shape of the file cannot say (operations.md C9–C14). It changes nothing.
//
//	platform (addresses, sign-in, limits) ─ objects (names, references) ─ access ─ policies
//
// A path at which decoding already found a fault is left alone: what follows from one mistake is no second one.
type validator struct {
	cfg              *Config
	pos              *Positions
	errors, warnings []Fault
	unsetSecrets     bool // references may have no value: what needs one is not checked
}

func (v *validator) validate() {
	v.addresses()
	v.storage()
	v.signIn()
	v.oauth()
	v.platform()
	v.backends()
	v.pools()
	v.apis()
	v.servers()
	v.models()
	v.products()
	v.subscriptions()
	v.road()
	v.fragments()
	v.policies()
	if len(v.cfg.MCPServers) == 0 && len(v.cfg.LLM.Models) == 0 {
		v.warn("", "nothing is served")
	}
}

// fault reports an error at the value of path.
func (v *validator) fault(path, format string, args ...any) {
	if path == "" || !v.pos.Faulty(path) {
		v.errors = append(v.errors, v.pos.Fault(path, format, args...))
	}
}

func (v *validator) warn(path, format string, args ...any) {
	if path == "" || !v.pos.Faulty(path) {
		v.warnings = append(v.warnings, v.pos.Fault(path, format, args...))
	}
}

// room places what a room's own Validate says, one "path: message" a line, below path.
func (v *validator) room(path string, err error) {
	if err == nil {
		return
	}
	for line := range strings.SplitSeq(err.Error(), "\n") {
		at, message, ok := strings.Cut(line, ": ")
		if !ok || strings.ContainsAny(at, " ") {
			v.fault(path, "%s", line)
			continue
		}
		v.fault(strings.TrimPrefix(path+"."+at, "."), "%s", message)
	}
}

func (v *validator) addresses() {
	c := v.cfg
	if c.PublicURL == "" && !v.pos.Faulty("listen") && !v.loopback() {
		v.fault("public_url", "is required unless listen is a loopback address")
	}
	for i, h := range c.AllowedHosts {
		if u, err := url.Parse("http://" + h); err != nil || u.Host != h || h == "" {
			v.fault(strictyaml.Index("allowed_hosts", i), "must be a host or host:port")
		}
	}
	for i, o := range c.AllowedOrigins {
		if u, err := url.Parse(o); err == nil && u.Scheme+"://"+u.Host != o {
			v.fault(strictyaml.Index("allowed_origins", i), "must be an origin such as https://app.example.com")
		}
	}
	cert, key := c.TLS.Certificate, c.TLS.Key
	switch {
	case cert.Source == "" && key.Source == "":
	case key.Source == "":
		v.fault("tls.key", "is required beside certificate")
	case cert.Source == "":
		v.fault("tls.certificate", "is required beside key")
	case !v.unsetSecrets:
		if _, err := tls.X509KeyPair([]byte(cert.Reveal()), []byte(key.Reveal())); err != nil {
			v.fault("tls", "certificate and key do not make a pair of PEM files")
		}
	}
}

func (v *validator) storage() {
	switch scheme, rest, ok := strings.Cut(v.cfg.Storage.Database, ":"); {
	case scheme == "sqlite" && rest != "", v.cfg.Storage.Database == "memory:":
	case ok && (scheme == "postgres" || scheme == "postgresql"):
		v.fault("storage.database", "PostgreSQL is not available in this version")
	default:
		v.fault("storage.database", "must be sqlite:PATH or memory:")
	}
	if scheme, rest, _ := strings.Cut(v.cfg.Storage.Keys, ":"); scheme != "file" && scheme != "env" || rest == "" {
		v.fault("storage.keys", "must be a reference, env:NAME or file:PATH")
	}
}

func (v *validator) signIn() {
	s := &v.cfg.SignIn
	for _, other := range []string{"entra", "oidc", "dev"} {
		if s.Provider != other && v.pos.Has("sign_in."+other) && s.Provider != "" {
			v.warn("sign_in."+other, "is not read: provider is %s", s.Provider)
		}
	}
	switch {
	case s.Provider == "" && v.pos.Has("sign_in"):
		v.fault("sign_in.provider", "is required")
	case s.Provider == "":
		if len(v.cfg.MCPServers) > 0 {
			v.warn("mcp_servers", "nobody can sign in: sign_in is not set")
		}
	default:
		v.room("sign_in", s.Validate())
	}
	if s.Provider == "dev" && !v.loopback() {
		v.fault("sign_in.provider", "dev works only with a loopback public_url")
	}
}

// loopback reports whether people reach the gateway on this computer only. Without a public_url it is http and the listen
// address, of which a port 0 is known only once it is open.
func (v *validator) loopback() bool {
	if v.cfg.PublicURL == "" {
		host, _, err := net.SplitHostPort(v.cfg.Listen)
		return err == nil && strictyaml.Loopback(host)
	}
	u, err := url.Parse(v.cfg.PublicURL)
	return err == nil && strictyaml.Loopback(u.Hostname())
}

func (v *validator) oauth() {
	v.room("oauth", errors.Join(v.cfg.OAuth.Validate(), registration.ValidateClients(v.cfg.OAuth.Clients)))
	for i := range v.cfg.OAuth.Clients {
		for j, name := range v.cfg.OAuth.Clients[i].Servers {
			if !slices.Contains([]string{"llm", "admin", "registry"}, name) && !v.hasServer(name) {
				v.fault(fmt.Sprintf("oauth.clients[%d].servers[%d]", i, j), "%s", v.noSuch("server", name, v.serverNames()))
			}
		}
	}
}

// platform checks the settings that stand alone.
func (v *validator) platform() {
	c := v.cfg
	v.principals("admins", c.Admins)
	v.room("", c.Limits.Limits.Validate())
	if _, err := egress.New(egress.Config{Allow: c.Egress.Allow, Deny: c.Egress.Deny}); err != nil {
		v.room("", err)
	}
	if s := c.UI.Support; s != "" && !strings.HasPrefix(s, "mailto:") && !strings.HasPrefix(s, "https://") {
		v.fault("ui.support", "must begin with mailto: or https://")
	}
}

// fragments checks their names.
func (v *validator) fragments() {
	for _, name := range sortedKeys(v.cfg.Fragments) {
		if err := strictyaml.CheckName(name); err != nil {
			at := strictyaml.Join("fragments", name)
			v.errors = append(v.errors, v.pos.KeyFault(at, "%s", err))
		}
	}
}

// noSuch words a dangling reference (C12), offering the nearest name.
func (v *validator) noSuch(kind, name string, known []string) string {
	text := fmt.Sprintf("no %s is named %q", kind, name)
	if near := strictyaml.Suggest(name, known); near != "" {
		text += fmt.Sprintf("; did you mean %q?", near)
	}
	return text
}

// unique reports repeated names within a kind at the second (C11).
func (v *validator) unique(path, kind string, names []string) {
	first := map[string]int{}
	for i, name := range names {
		if j, taken := first[name]; taken && name != "" {
			at := v.pos.Value(fmt.Sprintf("%s[%d].name", path, j))
			where := ""
			if at.Line > 0 {
				where = fmt.Sprintf("; first in line %d", at.Line)
			}
			v.fault(fmt.Sprintf("%s[%d].name", path, i), "another %s is named %q%s", kind, name, where)
			continue
		}
		first[name] = i
	}
}

// name checks a name whose room has no form for it (C11).
func (v *validator) name(path, name string) {
	if name == "" {
		return
	}
	if err := strictyaml.CheckName(name); err != nil {
		v.fault(path, "%s", err)
	}
}

// principals checks entries that mean people: role:NAME, group:ID, user:{tid}/{oid}, or a bare role name.
func (v *validator) principals(path string, entries []string) {
	for i, e := range entries {
		at := strictyaml.Index(path, i)
		kind, rest, prefixed := strings.Cut(e, ":")
		switch {
		case e == "" || prefixed && rest == "":
			v.fault(at, "must be role:NAME, group:ID or user:ID")
		case !prefixed || kind == "role" || kind == "user":
		case kind == "group":
			if v.cfg.SignIn.Provider == "entra" && v.cfg.SignIn.Entra.Groups == "off" {
				v.fault(at, "names a group, but sign_in.entra.groups is off")
			}
		default:
			v.fault(at, "must be role:NAME, group:ID or user:ID")
		}
	}
}

// checkBackendURL says what a backend's address must be: the operator's word, with nothing that a call could not keep.
func checkBackendURL(s string) error {
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.User != nil || strings.Contains(s, "#") {
		return errors.New("must be an absolute http or https URL")
	}
	if u.RawQuery != "" || u.ForceQuery {
		return errors.New("must not have a query")
	}
	return nil
}

// publicHost reports whether public_url can be reached from the internet, as far as its text tells: vendors' clouds
// cannot reach loopback, private addresses and single-label names.
func publicHost(publicURL string) bool {
	u, err := url.Parse(publicURL)
	if err != nil || strictyaml.Loopback(u.Hostname()) {
		return false
	}
	if a, err := netip.ParseAddr(u.Hostname()); err == nil {
		return !a.IsPrivate() && !a.IsLinkLocalUnicast() && !a.IsUnspecified()
	}
	host := strings.ToLower(strings.TrimSuffix(u.Hostname(), "."))
	for _, private := range []string{".local", ".internal", ".localhost", ".lan", ".home.arpa"} {
		if strings.HasSuffix(host, private) {
			return false
		}
	}
	return strings.Contains(host, ".") && net.ParseIP(host) == nil
}
