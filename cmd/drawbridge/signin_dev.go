package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"

	"golang.org/x/net/html"
)

// developmentSignIn walks the pages of a gateway's development sign-in: it chooses the person and allows. It does so
// only when the gateway is on this computer and the first page is the development sign-in; else it returns nil, and the
// person uses a browser. A first page that is the redirect already is the gateway's refusal.
func (s *signIn) developmentSignIn(ctx context.Context, address string) (url.Values, error) {
	base, err := url.Parse(s.base)
	if err != nil || !loopbackHost(base.Hostname()) {
		return nil, nil
	}
	jar, err := cookiejar.New(nil)
	if err != nil {
		return nil, err
	}
	w := &walker{origin: base.Scheme + "://" + base.Host, client: &http.Client{Jar: jar, Transport: s.client.Transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
	page, err := w.open(ctx, http.MethodGet, address, nil)
	if err == nil && page.left != nil && page.left.Host == redirectOf(address) {
		return page.left.Query(), nil
	}
	if err != nil || page.at == nil || page.at.Path != "/oauth/dev/sign-in" {
		return nil, err
	}
	form, name := page.choose(func(label string) bool {
		return s.person == "" || strings.Contains(strings.ToLower(label), strings.ToLower(s.person))
	})
	if form == nil {
		return nil, fmt.Errorf("sign-in: there is no %q among the people of the development sign-in", s.person)
	}
	fmt.Fprintf(s.tell, "Development sign-in as %s\n", firstWord(name))
	page, err = w.open(ctx, http.MethodPost, form.action, form.fields)
	if err != nil {
		return nil, err
	}
	form, _ = page.choose(func(label string) bool { return strings.HasPrefix(strings.ToLower(label), "allow") })
	if form == nil {
		return nil, fmt.Errorf("sign-in: %s", page.text())
	}
	page, err = w.open(ctx, http.MethodPost, form.action, form.fields)
	if err != nil {
		return nil, err
	}
	if page.left == nil {
		return nil, fmt.Errorf("sign-in: %s", page.text())
	}
	return page.left.Query(), nil
}

// redirectOf is the host that an authorization request asks to be sent back to.
func redirectOf(address string) string {
	asked, err := url.Parse(address)
	if err != nil {
		return ""
	}
	back, err := url.Parse(asked.Query().Get("redirect_uri"))
	if err != nil {
		return ""
	}
	return back.Host
}

func loopbackHost(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

func firstWord(s string) string {
	word, _, _ := strings.Cut(strings.TrimSpace(s), " ")
	return word
}

// walker is a browser without scripts that stays on one origin.
type walker struct {
	origin string
	client *http.Client
}

// page is what an address showed, or where it sent the browser away to.
type page struct {
	at   *url.URL
	left *url.URL // a redirect that leaves the origin; nothing was fetched
	doc  *html.Node
}

type formData struct {
	action string
	fields url.Values
}

func (w *walker) open(ctx context.Context, method, address string, form url.Values) (*page, error) {
	for range 10 {
		var body io.Reader
		if form != nil {
			body = strings.NewReader(form.Encode())
		}
		r, err := http.NewRequestWithContext(ctx, method, address, body)
		if err != nil {
			return nil, err
		}
		if r.URL.Scheme+"://"+r.URL.Host != w.origin {
			return &page{left: r.URL}, nil
		}
		r.Header.Set("Accept", "text/html")
		if form != nil {
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			r.Header.Set("Origin", w.origin)
			r.Header.Set("Sec-Fetch-Site", "same-origin")
		}
		answer, err := w.client.Do(r)
		if err != nil {
			return nil, fmt.Errorf("%s does not answer", w.origin)
		}
		next, err := answer.Location()
		if err == nil && answer.StatusCode/100 == 3 {
			_ = answer.Body.Close()
			method, address, form = http.MethodGet, next.String(), nil
			continue
		}
		doc, err := html.Parse(io.LimitReader(answer.Body, maxAnswer))
		_ = answer.Body.Close()
		if err != nil {
			return nil, fmt.Errorf("read the sign-in page: %w", err)
		}
		return &page{at: r.URL, doc: doc}, nil
	}
	return nil, fmt.Errorf("%s redirects without end", w.origin)
}

// choose returns the form of the first button whose label fits, as that button would send it, with the label.
func (p *page) choose(fits func(label string) bool) (found *formData, label string) {
	if p.doc == nil {
		return nil, ""
	}
	for form := range p.doc.Descendants() {
		if form.Data != "form" || found != nil {
			continue
		}
		for button := range form.Descendants() {
			if button.Data != "button" {
				continue
			}
			if text := textOf(button); fits(text) {
				return p.submit(form, button), text
			}
		}
	}
	return nil, ""
}

func (p *page) submit(form, button *html.Node) *formData {
	action, err := p.at.Parse(attribute(form, "action"))
	if err != nil {
		action = p.at
	}
	out := &formData{action: action.String(), fields: url.Values{}}
	for n := range form.Descendants() {
		if n.Data == "input" && attribute(n, "name") != "" {
			out.fields.Add(attribute(n, "name"), attribute(n, "value"))
		}
	}
	if name := attribute(button, "name"); name != "" {
		out.fields.Add(name, attribute(button, "value"))
	}
	return out
}

// text is what the page says, for an error: its main part, cut.
func (p *page) text() string {
	if p.doc == nil {
		return "the browser was sent away"
	}
	cause, note := "", ""
	for n := range p.doc.Descendants() {
		switch {
		case n.Data == "p" && attribute(n, "class") == "cause":
			cause = textOf(n)
		case n.Data == "p" && attribute(n, "class") == "note":
			note = " (" + textOf(n) + ")"
		case n.Data == "main" && cause == "":
			cause = textOf(n)
		}
	}
	return printable(strings.ToValidUTF8(cause[:min(len(cause), 500)], "") + note)
}

func attribute(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

func textOf(n *html.Node) string {
	var b strings.Builder
	for d := range n.Descendants() {
		if d.Type == html.TextNode {
			b.WriteString(d.Data)
			b.WriteByte(' ')
		}
	}
	return strings.Join(strings.Fields(b.String()), " ")
}
