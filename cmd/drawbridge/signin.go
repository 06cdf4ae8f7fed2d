package main

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

const (
	signInTime = 5 * time.Minute // how long a person may take in the browser
	maxAnswer  = 1 << 20         // bytes of any answer the command line reads
)

// signIn is the command line as an OAuth client of the gateway: discovery, dynamic registration, PKCE, a redirect to
// loopback. The person's part happens in a browser; against the development sign-in of a gateway on this computer the
// pages are filled in here, since there is no secret to type.
type signIn struct {
	base   string // the gateway's base address
	person string // whom to choose at a development sign-in; "" = the first
	client *http.Client
	tell   io.Writer                  // progress, for people
	open   func(address string) error // opens a browser; nil: only the address is told
}

type serverMetadata struct {
	Issuer        string   `json:"issuer"`
	Authorization string   `json:"authorization_endpoint"`
	Token         string   `json:"token_endpoint"`
	Registration  string   `json:"registration_endpoint"`
	Methods       []string `json:"code_challenge_methods_supported"`
}

// token returns an access token for resource with the given scope.
func (s *signIn) token(ctx context.Context, resource, scope string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, signInTime)
	defer cancel()
	meta, err := s.discover(ctx)
	if err != nil {
		return "", err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("listen for the browser's return: %w", err)
	}
	defer func() { _ = listener.Close() }()
	redirect := "http://" + listener.Addr().String() + "/callback"
	id, err := s.register(ctx, meta, redirect)
	if err != nil {
		return "", err
	}
	verifier, state := random(), random()
	sum := sha256.Sum256([]byte(verifier))
	address := meta.Authorization + "?" + url.Values{
		"response_type": {"code"}, "client_id": {id}, "redirect_uri": {redirect}, "state": {state}, "resource": {resource}, "scope": {scope},
		"code_challenge": {base64.RawURLEncoding.EncodeToString(sum[:])}, "code_challenge_method": {"S256"},
	}.Encode()
	back, err := s.authorize(ctx, address, listener)
	if err != nil {
		return "", err
	}
	if back.Get("state") != state || back.Get("iss") != meta.Issuer {
		return "", errors.New("sign-in: the answer belongs to another sign-in")
	}
	if e := back.Get("error"); e != "" {
		return "", fmt.Errorf("sign-in: %s: %s", e, back.Get("error_description"))
	}
	return s.redeem(ctx, meta, url.Values{
		"grant_type": {"authorization_code"}, "code": {back.Get("code")}, "redirect_uri": {redirect}, "client_id": {id},
		"code_verifier": {verifier}, "resource": {resource},
	})
}

func (s *signIn) discover(ctx context.Context) (*serverMetadata, error) {
	var meta serverMetadata
	if err := s.get(ctx, s.base+"/.well-known/oauth-authorization-server", &meta); err != nil {
		return nil, fmt.Errorf("%s does not tell how to sign in: %w", s.base, err)
	}
	if !slices.Contains(meta.Methods, "S256") {
		return nil, fmt.Errorf("%s does not offer PKCE with S256", s.base)
	}
	if meta.Registration == "" {
		return nil, errors.New("dynamic registration is off at this gateway: pass --token")
	}
	for _, e := range []string{meta.Authorization, meta.Token, meta.Registration} {
		if !strings.HasPrefix(e, meta.Issuer+"/") {
			return nil, fmt.Errorf("%s names an endpoint of another host", s.base)
		}
	}
	return &meta, nil
}

func (s *signIn) register(ctx context.Context, meta *serverMetadata, redirect string) (string, error) {
	body, _ := json.Marshal(map[string]any{
		"client_name": "drawbridge command line", "redirect_uris": []string{redirect}, "token_endpoint_auth_method": "none",
		"grant_types": []string{"authorization_code"}, "response_types": []string{"code"}, "application_type": "native",
	})
	var out struct {
		ID string `json:"client_id"`
	}
	if err := s.post(ctx, meta.Registration, "application/json", string(body), &out); err != nil {
		return "", fmt.Errorf("register as a client: %w", err)
	}
	return out.ID, nil
}

func (s *signIn) redeem(ctx context.Context, meta *serverMetadata, form url.Values) (string, error) {
	var out struct {
		Token string `json:"access_token"`
	}
	if err := s.post(ctx, meta.Token, "application/x-www-form-urlencoded", form.Encode(), &out); err != nil {
		return "", fmt.Errorf("redeem the code: %w", err)
	}
	return out.Token, nil
}

// authorize gets the person through the pages and returns the parameters of the redirect.
func (s *signIn) authorize(ctx context.Context, address string, listener net.Listener) (url.Values, error) {
	if back, err := s.developmentSignIn(ctx, address); err != nil || back != nil {
		return back, err
	}
	fmt.Fprintf(s.tell, "Sign in with your browser:\n  %s\n", address)
	if s.open != nil {
		if err := s.open(address); err != nil {
			fmt.Fprintln(s.tell, "(no browser opened by itself; open the address above)")
		}
	}
	arrived := make(chan url.Values, 1)
	server := &http.Server{ReadHeaderTimeout: 5 * time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/callback" {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		_, _ = io.WriteString(w, "Done. You can close this window and go back to the terminal.\n")
		select {
		case arrived <- r.URL.Query():
		default:
		}
	})}
	go func() { _ = server.Serve(listener) }()
	defer func() { _ = server.Close() }()
	select {
	case back := <-arrived:
		return back, nil
	case <-ctx.Done():
		return nil, errors.New("sign-in: nobody came back from the browser")
	}
}

func (s *signIn) get(ctx context.Context, address string, into any) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return err
	}
	return s.do(r, into)
}

func (s *signIn) post(ctx context.Context, address, contentType, body string, into any) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, address, strings.NewReader(body))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", contentType)
	return s.do(r, into)
}

func (s *signIn) do(r *http.Request, into any) error {
	r.Header.Set("Accept", "application/json")
	answer, err := s.client.Do(r)
	if err != nil {
		return fmt.Errorf("%s does not answer: %w", s.base, cause(err))
	}
	defer func() { _ = answer.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer))
	if err != nil {
		return err
	}
	if answer.StatusCode/100 != 2 {
		var e struct {
			Code string `json:"error"`
			Text string `json:"error_description"`
		}
		_ = json.Unmarshal(body, &e)
		return fmt.Errorf("%d %s %s", answer.StatusCode, e.Code, e.Text)
	}
	return json.Unmarshal(body, into)
}

func random() string {
	b := make([]byte, 32)
	_, _ = rand.Read(b)
	return base64.RawURLEncoding.EncodeToString(b)
}
