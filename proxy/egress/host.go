package egress

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"strconv"
	"strings"

	"golang.org/x/net/idna"
)

const maxURL = 2048

// parseURL is the one parser: what it lets through is what is dialled, so that no two parsers read one text in two ways.
func parseURL(raw string) (*url.URL, error) {
	if len(raw) > maxURL {
		return nil, fmt.Errorf("address is longer than %d bytes", maxURL)
	}
	for i := range len(raw) {
		if c := raw[i]; c <= ' ' || c == 0x7f || c == '\\' {
			return nil, errors.New("address holds a control character, a space or a backslash")
		}
	}
	u, err := url.Parse(raw)
	if err != nil {
		return nil, errors.New("address cannot be parsed")
	}
	switch {
	case u.Opaque != "" || u.Host == "":
		return nil, errors.New("address must be absolute")
	case u.User != nil || strings.Contains(u.Host, "@"):
		return nil, errors.New("address holds a user name")
	case strings.HasSuffix(u.Host, ":"):
		return nil, errors.New("address has an empty port")
	}
	u.Fragment, u.RawFragment = "", ""
	return u, nil
}

// canonicalHost brings a host to the one form that rules and resolvers see; addr is valid when it is an IP literal.
func canonicalHost(host string) (name string, addr netip.Addr, err error) {
	if strings.Contains(host, ":") || strings.HasPrefix(host, "[") {
		a, err := netip.ParseAddr(strings.Trim(host, "[]"))
		if err != nil || a.Zone() != "" {
			return "", netip.Addr{}, errors.New("host is not an address")
		}
		return a.String(), a, nil
	}
	ascii, err := profile().ToASCII(strings.TrimSuffix(host, "."))
	if err != nil || ascii == "" || len(ascii) > 253 {
		return "", netip.Addr{}, errors.New("host is not a name")
	}
	ascii = strings.ToLower(ascii)
	if a, err := netip.ParseAddr(ascii); err == nil {
		return a.String(), a, nil
	}
	for label := range strings.SplitSeq(ascii, ".") {
		if label == "" || len(label) > 63 {
			return "", netip.Addr{}, errors.New("host is not a name")
		}
	}
	if endsInNumber(ascii) {
		// 0x7f.1, 2130706433 and 0177.0.0.1 are 127.0.0.1 to inet_aton and a name to others.
		return "", netip.Addr{}, errors.New("host is a number")
	}
	return ascii, netip.Addr{}, nil
}

// profile maps as browsers do (UTS 46), so that full-width digits and dots become what they will be dialled as.
func profile() *idna.Profile {
	return idna.New(idna.MapForLookup(), idna.BidiRule(), idna.CheckHyphens(false))
}

func endsInNumber(host string) bool {
	last := host[strings.LastIndexByte(host, '.')+1:]
	if strings.HasPrefix(last, "0x") {
		_, err := strconv.ParseUint(last[2:], 16, 64)
		return err == nil || last == "0x" || errors.Is(err, strconv.ErrRange)
	}
	return strings.Trim(last, "0123456789") == ""
}

// reserved reports whether a name means something inside the operator's network.
func reserved(name string) bool {
	if !strings.Contains(name, ".") {
		return true
	}
	for _, suffix := range []string{".localhost", ".local", ".internal"} {
		if strings.HasSuffix(name, suffix) {
			return true
		}
	}
	return false
}

func loopbackName(name string) bool {
	return name == "localhost" || strings.HasSuffix(name, ".localhost")
}
