package strictyaml

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/drawbridge-mcp/drawbridge/proxy/secret"
)

const maxSecret = 64 << 10

// minStrong is the least length of a signing, subscription or client secret (§1.2).
const minStrong = 16

func wellKnown(s string) bool {
	switch strings.ToLower(s) {
	case "changeme", "password", "secret", "admin", "test", "default", "example":
		return true
	}
	return false
}

var errLiteral = errors.New("must be a reference, env:NAME or file:PATH")

// reference resolves env:NAME and file:PATH. No error of it holds the text: neither a literal that somebody pasted, nor
// the value behind the reference.
func (d *decoder) reference(text string, strong bool) (secret.Reference, error) {
	ref := secret.Reference{Source: text}
	var value string
	var err error
	switch scheme, rest, _ := strings.Cut(text, ":"); {
	case scheme == "env" && variableName.MatchString(rest):
		value, _ = d.o.Env(rest)
		if value == "" {
			if d.o.UnsetSecrets {
				return ref, nil
			}
			return ref, fmt.Errorf("environment variable %s is not set", rest)
		}
	case scheme == "file" && rest != "":
		if value, err = d.readSecret(rest); err != nil {
			if d.o.UnsetSecrets {
				return ref, nil
			}
			return ref, err
		}
	default:
		return secret.Reference{}, errLiteral
	}
	if strong && (len(value) < minStrong || wellKnown(value)) {
		return ref, errors.New("is too short or well known")
	}
	ref.Value = secret.New(value)
	return ref, nil
}

func (d *decoder) readSecret(path string) (string, error) {
	full := path
	if !filepath.IsAbs(full) {
		full = filepath.Join(d.o.Dir, full)
	}
	data, err := d.o.ReadFile(full)
	if err != nil {
		return "", fmt.Errorf("cannot read file %s: %s", path, reason(err))
	}
	if len(data) > maxSecret {
		return "", fmt.Errorf("cannot read file %s: larger than 64KiB", path)
	}
	text := strings.TrimSuffix(strings.TrimSuffix(string(data), "\n"), "\r")
	if text == "" {
		return "", fmt.Errorf("cannot read file %s: it is empty", path)
	}
	return text, nil
}

// reason is an error without the path that the operating system puts before it.
func reason(err error) string {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err.Error()
	}
	return err.Error()
}

// readFile reads at most one byte more than a secret may have.
func readFile(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.IsDir() {
		return nil, errors.New("is a directory")
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New("is not a regular file")
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	return io.ReadAll(io.LimitReader(f, maxSecret+1))
}
