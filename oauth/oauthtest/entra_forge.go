package oauthtest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"strings"
	"sync"
	"time"
)

// Forged is an ID token about to be signed. Presets change it as attackers would.
type Forged struct {
	Header, Claims map[string]any
	Raw            func(signed string) string          // changes the finished token
	Sign           func(k signer, input string) []byte // replaces RS256
	key            signer
}

func (f *Forged) token() string {
	sign := f.Sign
	if sign == nil {
		sign = signer.rs256
	}
	input := segment(f.Header) + "." + segment(f.Claims)
	token := input + "." + base64.RawURLEncoding.EncodeToString(sign(f.key, input))
	if f.Raw != nil {
		return f.Raw(token)
	}
	return token
}

// signer is an RSA key of the fake.
type signer struct {
	kid string
	rsa *rsa.PrivateKey
}

// signingKeys are made once a process: RSA keys take their time.
var signingKeys = sync.OnceValue(func() []signer {
	var keys []signer
	for _, kid := range []string{"key-1", "key-2"} {
		k, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			panic(err)
		}
		keys = append(keys, signer{kid: kid, rsa: k})
	}
	return keys
})

func (s signer) jwk() map[string]any {
	enc := base64.RawURLEncoding
	return map[string]any{"kty": "RSA", "use": "sig", "kid": s.kid, "n": enc.EncodeToString(s.rsa.N.Bytes()),
		"e": enc.EncodeToString(big.NewInt(int64(s.rsa.E)).Bytes()), "x5c": []string{}}
}

func (s signer) rs256(input string) []byte {
	sum := sha256.Sum256([]byte(input))
	sig, err := rsa.SignPKCS1v15(rand.Reader, s.rsa, crypto.SHA256, sum[:])
	if err != nil {
		panic(err)
	}
	return sig
}

func (s signer) sign(header, claims map[string]any) string {
	input := segment(header) + "." + segment(claims)
	return input + "." + base64.RawURLEncoding.EncodeToString(s.rs256(input))
}

func segment(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return base64.RawURLEncoding.EncodeToString(b)
}

// Preset is one way an ID token can be wrong, with the row of oauth.md §20.4 that it belongs to.
type Preset struct {
	Row, Name string
	Forge     func(*Forged)
}

func claim(name string, value any) func(*Forged) {
	return func(f *Forged) {
		if value == nil {
			delete(f.Claims, name)
			return
		}
		f.Claims[name] = value
	}
}

func header(name string, value any) func(*Forged) {
	return func(f *Forged) { f.Header[name] = value }
}

// Presets are all the wrong ID tokens. evil is an address that a key header may name; nothing may be fetched from it.
func Presets(now time.Time, evil string) []Preset {
	at := func(d time.Duration) int64 { return now.Add(d).Unix() }
	list := []Preset{
		{"44", "no nonce", claim("nonce", nil)}, {"44", "other nonce", claim("nonce", "another")}, {"44", "nonce not text", claim("nonce", 7)},
		{"47", "jku", func(f *Forged) { f.Header["jku"] = evil; signOther(f) }}, {"47", "x5u", func(f *Forged) { f.Header["x5u"] = evil; signOther(f) }},
		{"47", "embedded jwk", func(f *Forged) { f.Header["jwk"] = signingKeys()[1].jwk(); signOther(f) }},
		{"47", "kid path", header("kid", "../../etc/passwd")}, {"47", "kid sql", header("kid", "' OR 1=1")}, {"46", "unknown kid", header("kid", "nobody")},
		{"46", "no kid", func(f *Forged) { delete(f.Header, "kid") }}, {"46", "signed by another key", signOther},
		{"48", "other aud", claim("aud", "22222222-aaaa-4bbb-8ccc-000000000002")}, {"48", "two audiences", claim("aud", []string{EntraClient, "other"})},
		{"48", "other azp", claim("azp", "22222222-aaaa-4bbb-8ccc-000000000002")},
		{"48", "access token as id token", claim("scp", "access_as_user")}, {"48", "at+jwt", header("typ", "at+jwt")},
		{"48", "application/at+jwt", header("typ", "application/AT+JWT")}, {"55", "app-only", claim("idtyp", "app")},
		{"49", "expired", claim("exp", at(-time.Minute))}, {"49", "no exp", claim("exp", nil)}, {"49", "no iat", claim("iat", nil)},
		{"49", "future nbf", claim("nbf", at(10*time.Minute))}, {"49", "future iat", claim("iat", at(10*time.Minute))},
		{"50", "issuer of another tenant", func(f *Forged) {
			f.Claims["iss"] = strings.Replace(f.Claims["iss"].(string), Contoso, Fabrikam, 1)
		}},
		{"50", "tid of another tenant", claim("tid", Fabrikam)}, {"50", "tid not a guid", claim("tid", "contoso.com")},
		{"50", "personal tenant", claim("tid", "9188040d-6c67-4c5b-b112-36a304b66dad")}, {"50", "no tid", claim("tid", nil)},
		{"50", "no oid", claim("oid", nil)}, {"50", "oid not a guid", claim("oid", "../ada")},
		{"50", "larger than 16 KiB", claim("padding", strings.Repeat("A", 100<<10))},
		{"50", "jwe", func(f *Forged) { f.Raw = func(s string) string { return s + ".AAAA.AAAA" } }},
	}
	return append(list, algorithmPresets()...)
}

// signOther signs with a key that is not in the key set.
func signOther(f *Forged) { f.key.rsa = signingKeys()[1].rsa }

// algorithmPresets are row 45: algorithms that nobody pinned.
func algorithmPresets() []Preset {
	hs := func(secret func(k signer) []byte) func(*Forged) {
		return func(f *Forged) {
			f.Header["alg"] = "HS256"
			f.Sign = func(k signer, input string) []byte {
				m := hmac.New(sha256.New, secret(k))
				m.Write([]byte(input))
				return m.Sum(nil)
			}
		}
	}
	return []Preset{
		{"45", "alg none", func(f *Forged) {
			f.Header["alg"] = "none"
			f.Sign = func(signer, string) []byte { return nil }
		}},
		{"45", "HS256 with the public key as PEM", hs(func(k signer) []byte {
			der, _ := x509.MarshalPKIXPublicKey(&k.rsa.PublicKey)
			return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
		})},
		{"45", "HS256 with the modulus", hs(func(k signer) []byte { return k.rsa.N.Bytes() })},
		{"45", "RS512", func(f *Forged) {
			f.Header["alg"] = "RS512"
			f.Sign = func(k signer, input string) []byte {
				sum := sha512.Sum512([]byte(input))
				sig, _ := rsa.SignPKCS1v15(rand.Reader, k.rsa, crypto.SHA512, sum[:])
				return sig
			}
		}},
		{"45", "ES256", func(f *Forged) {
			f.Header["alg"] = "ES256"
			f.Sign = func(_ signer, input string) []byte {
				key, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
				sum := sha256.Sum256([]byte(input))
				r, s, _ := ecdsa.Sign(rand.Reader, key, sum[:])
				return append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...)
			}
		}},
	}
}
