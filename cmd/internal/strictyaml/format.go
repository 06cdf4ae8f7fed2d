package strictyaml

import (
	"errors"
	"net"
	"net/netip"
	"net/url"
	"regexp"
	"strconv"
	"strings"
)

var (
	nameForm  = regexp.MustCompile(`^[a-z0-9](?:[a-z0-9._-]{0,61}[a-z0-9])?$`)
	modelForm = regexp.MustCompile(`^[A-Za-z0-9](?:[A-Za-z0-9._/:-]{0,61}[A-Za-z0-9])?$`)
	guidForm  = regexp.MustCompile(`^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$`)
	wordForm  = regexp.MustCompile(`^[A-Za-z0-9._-]{1,63}$`)
)

// checkFormat checks the forms of operations.md §1.2 that a format tag may name:
//
//	name      name of an object (C11)
//	model     name of a model: upper case, / and : too
//	url       absolute, http or https, no user, no fragment
//	origin    public_url: scheme, host, port
//	hostport  host:port; [::1]:8080; :8080
//	listen    hostport, or unix:/path
//	cidr      10.0.0.0/8 or a single address
//	status    429 or 500-599
//	guid      8-4-4-4-12 hexadecimal digits
//	word      up to 63 of A-Z a-z 0-9 . _ -
//	file      file:PATH
func checkFormat(format, s string) error {
	switch format {
	case "name":
		return when(nameForm.MatchString(s), "must be 1 to 63 of a-z, 0-9, '.', '_', '-', beginning and ending with a letter or digit")
	case "model":
		return when(modelForm.MatchString(s), "must be 1 to 63 of A-Z, a-z, 0-9, '.', '_', '-', '/', ':', beginning and ending with a letter or digit")
	case "url":
		return checkURL(s)
	case "origin":
		return checkOrigin(s)
	case "hostport":
		return checkHostPort(s)
	case "listen":
		if path, ok := strings.CutPrefix(s, "unix:"); ok {
			return when(strings.HasPrefix(path, "/"), "must be host:port or unix:/path")
		}
		return checkHostPort(s)
	case "cidr":
		_, err1 := netip.ParsePrefix(s)
		_, err2 := netip.ParseAddr(s)
		return when(err1 == nil || err2 == nil, "must be an address or CIDR")
	case "status":
		return checkStatus(s)
	case "guid":
		return when(guidForm.MatchString(s), "must be a GUID such as 72f988bf-0000-4000-8000-00000000000a")
	case "word":
		return when(wordForm.MatchString(s), "must be 1 to 63 of A-Z, a-z, 0-9, '.', '_', '-'")
	case "file":
		return when(strings.HasPrefix(s, "file:") && len(s) > len("file:"), "must be file:PATH")
	}
	panic("strictyaml: no format is named " + format)
}

// CheckName says what is wrong with the name of an object (C11).
func CheckName(s string) error { return checkFormat("name", s) }

// CheckModel says what is wrong with the name of a model (C11).
func CheckModel(s string) error { return checkFormat("model", s) }

// CheckOrigin says what is wrong with an origin such as public_url.
func CheckOrigin(s string) error { return checkOrigin(s) }

func when(ok bool, message string) error {
	if ok {
		return nil
	}
	return errors.New(message)
}

func checkURL(s string) error {
	u, err := url.Parse(s)
	ok := err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Hostname() != "" && u.User == nil &&
		u.Fragment == "" && !strings.Contains(s, "#") && u.Opaque == "" && portOK(u.Port(), u.Host)
	return when(ok, "must be an absolute http or https URL")
}

func portOK(port, host string) bool {
	if port == "" {
		return !strings.HasSuffix(host, ":")
	}
	n, err := strconv.Atoi(port)
	return err == nil && n > 0 && n <= 65535
}

// checkOrigin holds the rules of public_url (oauth.md §2). Its fault carries the key, since users meet it in logs, too.
func checkOrigin(s string) error {
	u, err := url.Parse(s)
	if err != nil || checkURL(s) != nil || u.Path != "" || u.RawQuery != "" || u.ForceQuery {
		return errors.New("must be an origin such as https://gw.example.com")
	}
	if u.Scheme == "http" && !Loopback(u.Hostname()) {
		return errors.New("http is allowed for loopback only")
	}
	return nil
}

// Loopback reports whether a host is 127.0.0.0/8, ::1 or localhost.
func Loopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	a, err := netip.ParseAddr(host)
	return err == nil && a.IsLoopback()
}

func checkHostPort(s string) error {
	host, port, err := net.SplitHostPort(s)
	n, err2 := strconv.Atoi(port)
	ok := err == nil && err2 == nil && n >= 0 && n <= 65535 && !strings.ContainsAny(host, " /@")
	return when(ok, "must be host:port")
}

func checkStatus(s string) error {
	low, high, isRange := strings.Cut(s, "-")
	if !isRange {
		high = low
	}
	a, err1 := strconv.Atoi(low)
	b, err2 := strconv.Atoi(high)
	ok := err1 == nil && err2 == nil && a >= 100 && b <= 599 && a <= b && len(low) == 3 && len(high) == 3
	return when(ok, "must be a status or range such as 500-599")
}
