package secret

import (
	"encoding/base64"
	"encoding/json"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
)

var start = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

func TestTheKeysFileIsMadeOnceAndReadAfterwards(t *testing.T) { // operations.md K1
	path := filepath.Join(t.TempDir(), "keys.json")
	first, created, err := LoadKeyring(path, start)
	if err != nil || !created {
		t.Fatalf("first start: created %v, %v", created, err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("mode %v, %v", info.Mode(), err)
	}
	second, created, err := LoadKeyring(path, start.Add(time.Hour))
	if err != nil || created {
		t.Fatalf("second start: created %v, %v", created, err)
	}
	sealed := seal(t, first, Row, "p", "text")
	if got, err := second.Open(Row, "p", sealed); err != nil || string(got) != "text" {
		t.Errorf("Open = %q, %v", got, err)
	}
	if first.MACID() != second.MACID() || string(first.MAC(Cookie, "x")) != string(second.MAC(Cookie, "x")) {
		t.Error("mac differs")
	}
	a, b := first.Signing(), second.Signing()
	if a.ID != b.ID || !a.Private.Equal(b.Private) || !a.Created.Equal(b.Created) || b.State != Active {
		t.Errorf("signing key %+v, want %+v", b, a)
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(path), ".keys-*")); len(left) != 0 {
		t.Errorf("left behind: %q", left)
	}
}

func TestTheKeysFileHasThePublishedForm(t *testing.T) { // operations.md K1
	data, err := newRing(t).marshal()
	if err != nil {
		t.Fatal(err)
	}
	var f struct {
		Version    int
		Signing    []map[string]string
		Encryption []map[string]string
		MAC        string
	}
	if err := json.Unmarshal(data, &f); err != nil {
		t.Fatal(err)
	}
	s, e := f.Signing[0], f.Encryption[0]
	if f.Version != 1 || s["alg"] != "ES256" || s["state"] != "active" || s["created"] != "2026-11-20T12:00:00Z" || s["kid"] == "" || s["private"] == "" {
		t.Errorf("signing = %v", s)
	}
	if e["id"] == "" || e["state"] != "active" || len(e["key"]) != 44 || len(f.MAC) != 44 {
		t.Errorf("encryption has members %d, mac %d bytes", len(e), len(f.MAC))
	}
}

func TestAKeysFileThatOthersMayReadIsRefusedWithItsMode(t *testing.T) { // operations.md K1
	if runtime.GOOS == "windows" {
		t.Skip("no mode bits")
	}
	path := filepath.Join(t.TempDir(), "keys.json")
	if _, _, err := LoadKeyring(path, start); err != nil {
		t.Fatal(err)
	}
	for _, mode := range []os.FileMode{0o644, 0o640, 0o604, 0o620} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		_, created, err := LoadKeyring(path, start)
		if err == nil || created || !strings.Contains(err.Error(), "keys file is readable by others (mode 06") {
			t.Errorf("mode %o: created %v, %v", mode, created, err)
		}
	}
}

func TestAnUnusableKeysFileIsAnErrorAndStaysAsItIs(t *testing.T) { // oauth.md §8.4
	good, err := newRing(t).marshal()
	if err != nil {
		t.Fatal(err)
	}
	text := string(good)
	tests := map[string]struct{ data, want string }{
		"empty":           {"", "not JSON"},
		"cut off":         {text[:len(text)/2], "not JSON, or cut off"},
		"not an object":   {"[]", "not the JSON of a keys file"},
		"other version":   {strings.Replace(text, `"version": 1`, `"version": 2`, 1), "version 2"},
		"no version":      {"{}", "version 0"},
		"two files":       {text + text, "not JSON"},
		"no keys":         {`{"version":1}`, "one active signing key"},
		"other algorithm": {strings.Replace(text, "ES256", "HS256", 1), "signing[0]: needs a kid and alg ES256"},
		"other state":     {strings.Replace(text, "active", "current", 1), "signing[0]: state"},
		"broken private":  {strings.Replace(text, `"private": "`, `"private": "AAAA`, 1), "signing[0]: private"},
		"two active":      {twoActive(t), "one active signing key"},
		"huge":            {strings.Repeat(" ", maxKeysFile+1), "larger than"},
	}
	for name, tt := range tests {
		path := filepath.Join(t.TempDir(), "keys.json")
		if err := os.WriteFile(path, []byte(tt.data), 0o600); err != nil {
			t.Fatal(err)
		}
		_, created, err := LoadKeyring(path, start)
		if err == nil || created || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: created %v, error %v, want %q", name, created, err, tt.want)
		}
		if after, _ := os.ReadFile(path); string(after) != tt.data {
			t.Errorf("%s: the file was changed", name)
		}
	}
}

func twoActive(t *testing.T) string {
	a, b := newRing(t), newRing(t)
	data, err := (&Keyring{signing: append(a.signing, b.signing...), sealing: a.sealing, mac: a.mac}).marshal()
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestErrorsOfAKeysFileShowNoKey(t *testing.T) {
	k := newRing(t)
	good, err := k.marshal()
	if err != nil {
		t.Fatal(err)
	}
	key := base64.StdEncoding.EncodeToString(k.sealing[0].root)
	for _, bad := range []string{strings.Replace(string(good), key, key[:20], 1), strings.Replace(string(good), `"`+key+`"`, key, 1)} {
		if _, err := ParseKeyring([]byte(bad)); err == nil || strings.Contains(err.Error(), key[:12]) {
			t.Errorf("error %v", err)
		}
	}
}

func TestADirectoryOrAMissingFolderIsAnError(t *testing.T) {
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if _, _, err := LoadKeyring(dir, start); err == nil || !strings.Contains(err.Error(), "is not a file") {
		t.Errorf("directory: %v", err)
	}
	if _, created, err := LoadKeyring(filepath.Join(dir, "none", "keys.json"), start); err == nil || created {
		t.Errorf("missing folder: created %v, %v", created, err)
	}
}

func TestProcessesThatStartTogetherGetTheSameKeys(t *testing.T) { // operations.md K1
	path := filepath.Join(t.TempDir(), "keys.json")
	var wg sync.WaitGroup
	var mu sync.Mutex
	ids, made := map[string]bool{}, 0
	for range 20 {
		wg.Go(func() {
			k, created, err := LoadKeyring(path, start)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				t.Error(err)
				return
			}
			ids[k.MACID()] = true
			if created {
				made++
			}
		})
	}
	wg.Wait()
	if len(ids) != 1 || made != 1 {
		t.Errorf("%d rings, made %d times", len(ids), made)
	}
}

func TestARingFromTheEnvironmentIsTheSameText(t *testing.T) { // operations.md K1
	k := newRing(t)
	data, err := k.marshal()
	if err != nil {
		t.Fatal(err)
	}
	got, err := ParseKeyring(data)
	if err != nil || got.MACID() != k.MACID() || got.EncryptionIDs()[0] != k.EncryptionIDs()[0] {
		t.Errorf("ParseKeyring: %v", err)
	}
}

func FuzzParseKeyring(f *testing.F) {
	good, err := newRing(f).marshal()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add([]byte(`{"version":1,"signing":[{}],"encryption":[{}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		k, err := ParseKeyring(data)
		if err != nil {
			return
		}
		if sealed, err := k.Seal(Row, "p", []byte("x")); err != nil {
			t.Errorf("a ring that was taken does not seal: %v", err)
		} else if _, err := k.Open(Row, "p", sealed); err != nil {
			t.Errorf("a ring that was taken does not open: %v", err)
		}
		_, _, _ = k.Signing(), k.MACID(), k.EncryptionIDs()
	})
}
