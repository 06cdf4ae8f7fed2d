package oauth

import (
	"slices"
	"time"
)

// ClientKind is how a client became known. Kinds are never mixed: an id of one kind is looked up in that kind only.
type ClientKind string

const (
	Preregistered ClientKind = "preregistered" // from the configuration
	Document      ClientKind = "document"      // client ID metadata document; the id is its https URL
	Registered    ClientKind = "registered"    // RFC 7591; the id is dcr_ and 26 base32 characters
)

// ClientStatus says whether a client may be used.
type ClientStatus string

const (
	Approved ClientStatus = "approved"
	Pending  ClientStatus = "pending"
	Blocked  ClientStatus = "blocked"
)

// Client is an OAuth client.
type Client struct {
	ID           string
	Kind         ClientKind
	Status       ClientStatus
	Name         string // as the client says; sanitise before showing
	Host         string // verified host of a document client; "" for others
	RedirectURIs []string
	AuthMethod   string // none, client_secret_basic, client_secret_post; "" for configured clients that may use either secret method
	SecretHash   []byte // SHA-256 of the secret; nil for public clients
	GrantTypes   []string
	Scope        string   // default request; "" = none
	Metadata     []byte   // effective registered metadata as canonical JSON; what registration answered
	Fingerprint  string   // hash of the effective metadata of public registrations; "" for others
	Servers      []string // client_credentials: what it may name as resource
	Roles        []string // client_credentials: roles it acts with
	Created      time.Time
	LastUsed     time.Time // last time a code was issued; zero: never
}

// Public reports whether the client has no secret.
func (c *Client) Public() bool { return len(c.SecretHash) == 0 }

// Grants reports whether the client may use grant type g.
func (c *Client) Grants(g string) bool { return slices.Contains(c.GrantTypes, g) }

// TransactionStatus is the state of a sign-in transaction (oauth.md §4).
type TransactionStatus string

const (
	AtProvider TransactionStatus = "at_provider"
	Consenting TransactionStatus = "consenting"
	Done       TransactionStatus = "done"
	Failed     TransactionStatus = "failed"
)

// Transaction is one sign-in, from authorize to code. It carries a snapshot of the client, so that what changes
// meanwhile changes nothing in it.
type Transaction struct {
	ID            string // random, 256 bits, base64url
	Status        TransactionStatus
	Client        Client
	RedirectURI   string // validated
	ClientState   string // the client's own state, returned as it came; HasState tells "" from absent
	HasState      bool
	CodeChallenge string // S256
	Scopes        []string
	Resource      string // canonical
	Tenant        string // chosen tenant; "" for providers without tenants
	UpstreamState string // our own state towards the provider; unique
	Nonce         string
	Verifier      string    // PKCE verifier towards the provider; stores seal it
	BindingHash   []byte    // HMAC of the browser binding secret with the transaction id
	Identity      *Identity // known from Consenting on
	Upstream      *Upstream // the provider's tokens; stores seal it
	// Portal transactions sign a person in to portal and console: no client, no code; ReturnTo is a path of ours.
	Portal   bool
	ReturnTo string
	Created  time.Time
	Expires  time.Time
}

// Identity is who a provider says has signed in.
type Identity struct {
	Subject  string // {tid}/{oid}, {issuer host}/{sub}, dev/{name}
	Tenant   string
	Name     string // for showing
	Login    string // preferred_username, for showing on the consent page
	Guest    bool
	Roles    []string
	Groups   []string
	Claims   map[string]any // claims to keep (oauth.md §2)
	AuthTime time.Time
	SID      string // provider session id for front-channel logout; "" unknown
}

// Upstream is what we hold of the provider for one person: kept sealed, sent to the provider only.
type Upstream struct {
	Tenant       string
	AccessToken  string
	RefreshToken string
	Expires      time.Time
	Checked      time.Time // last successful check of the person with the provider
}

// Code is an authorization code, stored by hash.
type Code struct {
	Hash          string // hex SHA-256 of the code
	GrantID       string
	ClientID      string
	RedirectURI   string
	CodeChallenge string
	Resource      string
	Scopes        []string
	Expires       time.Time
	SpentAt       time.Time // zero while unspent; kept 24 h so that reuse is noticed
}

// Grant is what a person allowed a client: the root of its tokens. Revoking it ends them all.
type Grant struct {
	ID       string // random, 128 bits
	ClientID string
	Client   string // name at consent time, for lists
	Identity Identity
	Resource string
	Scopes   []string
	Upstream *Upstream // sealed by stores; nil for providers without refresh
	Created  time.Time
	Expires  time.Time // absolute end
	Revoked  time.Time // zero while good
	Reason   string    // of the revocation: a word of a closed set
}

// RefreshToken is one generation of a grant's refresh family.
type RefreshToken struct {
	ID         string // finds the row
	SecretHash string // hex SHA-256 of the secret part
	GrantID    string
	ClientID   string
	Resource   string
	Generation int
	UsedAt     time.Time // zero while current
	Successor  string    // the whole successor token, once used; stores seal it
	Created    time.Time
	Expires    time.Time
}

// Session is a person signed in to portal and console.
type Session struct {
	Hash     string // hex SHA-256 of the cookie's secret
	Identity Identity
	Created  time.Time
	Seen     time.Time
	Expires  time.Time
}
