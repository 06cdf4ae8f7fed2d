package store

import (
	"bufio"
	"database/sql"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	osexec "os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/drawbridge-mcp/drawbridge/oauth"
	"github.com/drawbridge-mcp/drawbridge/proxy"
	"github.com/drawbridge-mcp/drawbridge/proxy/secret"
)

// Secrets that the filled database must not show, in any spelling.
var planted = []string{
	"upstream-access-token-4b1f", "upstream-refresh-token-77aa", "pkce-verifier-towards-provider-0c2d", "provider-nonce-9e9e",
	"upstream-state-5d5d", "client-state-6f6f", "dbr_successor.secret-part-1212", "kept-claim-value-3434", "transaction-id-8080",
}

func fill(t testing.TB, s *Store) {
	t.Helper()
	ctx := t.Context()
	identity := oauth.Identity{Subject: "t1/o1", Claims: map[string]any{"c": planted[7]}}
	upstream := &oauth.Upstream{AccessToken: planted[0], RefreshToken: planted[1]}
	tx := oauth.Transaction{
		ID: planted[8], Status: oauth.AtProvider, Verifier: planted[2], Nonce: planted[3], UpstreamState: planted[4], ClientState: planted[5],
		Created: testNow, Expires: testNow.Add(time.Minute),
	}
	grant := oauth.Grant{ID: "g1", ClientID: "c1", Identity: identity, Upstream: upstream, Created: testNow, Expires: testNow.Add(time.Hour)}
	check(t, s.PutClient(ctx, oauth.Client{ID: "c1", Kind: oauth.Registered, Created: testNow}))
	check(t, s.PutTransaction(ctx, tx, 10))
	tx.Status, tx.Identity, tx.Upstream = oauth.Consenting, &identity, upstream
	check(t, s.SwapTransaction(ctx, oauth.AtProvider, tx))
	check(t, s.Finish(ctx, tx, grant, oauth.Code{Hash: "h1", GrantID: "g1", Expires: testNow.Add(time.Minute)}))
	check(t, s.PutRefresh(ctx, oauth.RefreshToken{ID: "r1", GrantID: "g1", Expires: testNow.Add(time.Hour)}))
	check(t, s.Rotate(ctx, "r1", testNow, planted[6], oauth.RefreshToken{ID: "r2", GrantID: "g1", Generation: 2, Expires: testNow.Add(time.Hour)}))
	check(t, s.PutSession(ctx, oauth.Session{Hash: "s1", Identity: identity, Expires: testNow.Add(time.Hour)}))
	s.Record(proxy.Record{ID: "row-1", Time: testNow, Ending: proxy.EndOK, Usage: proxy.Usage{Input: 3, Output: 4, Source: proxy.UsageProvider}})
	check(t, s.ledger.flush(ctx))
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestAFilledDatabaseShowsNoSecret(t *testing.T) { // operations.md K5
	cfg := testConfig(t, databases["sqlite"](t))
	s := open(t, cfg)
	fill(t, s)
	path := strings.TrimPrefix(cfg.URL, "sqlite:")
	look := func() {
		files, err := filepath.Glob(path + "*")
		check(t, err)
		for _, file := range files {
			data, err := os.ReadFile(file)
			check(t, err)
			for _, text := range planted {
				for form, shown := range spellings(text) {
					if strings.Contains(string(data), shown) {
						t.Errorf("%s shows %q (%s)", filepath.Base(file), text, form)
					}
				}
			}
		}
	}
	look() // with what is only in the write-ahead log
	check(t, s.Close())
	look()
}

func spellings(text string) map[string]string {
	b := []byte(text)
	forms := map[string]string{"raw": text, "hex": hex.EncodeToString(b), "HEX": strings.ToUpper(hex.EncodeToString(b))}
	for shift := range 3 { // inside other base64, the text may begin at any of three places
		enc := base64.RawStdEncoding.EncodeToString(append(make([]byte, shift), b...))
		forms[fmt.Sprint("base64+", shift)] = enc[4 : len(enc)-4]
		forms[fmt.Sprint("base64url+", shift)] = base64.RawURLEncoding.EncodeToString(append(make([]byte, shift), b...))[4 : len(enc)-4]
	}
	return forms
}

func TestTheFilesOfADatabaseAreItsOwnersOnly(t *testing.T) { // operations.md D4
	if runtime.GOOS == "windows" {
		t.Skip("no mode bits")
	}
	cfg := testConfig(t, databases["sqlite"](t))
	path := strings.TrimPrefix(cfg.URL, "sqlite:")
	check(t, os.WriteFile(path, nil, 0o644)) // one that was left readable is taken away from others
	fill(t, open(t, cfg))
	files, err := filepath.Glob(path + "*")
	check(t, err)
	if len(files) < 3 {
		t.Fatalf("files %q", files)
	}
	for _, file := range files {
		info, err := os.Stat(file)
		check(t, err)
		if info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %o", filepath.Base(file), info.Mode().Perm())
		}
	}
}

func TestConnectionsAreSetUpAsDurabilityNeeds(t *testing.T) { // operations.md D4
	db := open(t, testConfig(t, databases["sqlite"](t))).backend.(*sqlite)
	want := map[string]string{"journal_mode": "wal", "synchronous": "2", "foreign_keys": "1", "busy_timeout": "5000"}
	for name, pool := range map[string]*sql.DB{"writer": db.writer, "reader": db.reader} {
		for pragma, value := range want {
			var got string
			check(t, pool.QueryRowContext(t.Context(), `SELECT * FROM pragma_`+pragma).Scan(&got))
			if got != value {
				t.Errorf("%s: %s = %s, want %s", name, pragma, got, value)
			}
		}
	}
	if db.writer.Stats().MaxOpenConnections != 1 || db.reader.Stats().MaxOpenConnections != 4 {
		t.Error("connections")
	}
	if _, err := db.reader.ExecContext(t.Context(), `DELETE FROM clients`); err == nil {
		t.Error("a reader wrote")
	}
}

func TestASecondProcessIsRefusedWithThePIDOfTheFirst(t *testing.T) { // operations.md D4
	cfg := testConfig(t, databases["sqlite"](t))
	first := open(t, cfg)
	want := fmt.Sprintf("database is in use by another drawbridge (pid %d)", os.Getpid())
	if _, err := Open(t.Context(), cfg); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("second: %v, want %q", err, want)
	}
	link := filepath.Join(t.TempDir(), "other-name.db")
	check(t, os.Symlink(strings.TrimPrefix(cfg.URL, "sqlite:"), link))
	other := cfg
	other.URL = "sqlite:" + link
	if _, err := Open(t.Context(), other); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("by another name: %v, want %q", err, want)
	}
	check(t, first.Close())
	open(t, cfg)
}

// The test starts itself as the process that is killed.
func TestWhatWasAcknowledgedSurvivesKill(t *testing.T) { // oauth.md §16, operations.md U10
	if dir := os.Getenv("DRAWBRIDGE_TEST_VICTIM"); dir != "" {
		victim(t, dir)
		return
	}
	dir := t.TempDir()
	cmd := osexec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestWhatWasAcknowledgedSurvivesKill$")
	cmd.Env = append(os.Environ(), "DRAWBRIDGE_TEST_VICTIM="+dir)
	out, err := cmd.StdoutPipe()
	check(t, err)
	check(t, cmd.Start())
	acknowledged := 0
	for lines := bufio.NewScanner(out); acknowledged < 20 && lines.Scan(); {
		if strings.HasPrefix(lines.Text(), "ack ") {
			acknowledged++
		}
	}
	check(t, cmd.Process.Kill())
	_ = cmd.Wait()
	ring, created, err := LoadKeys(t.Context(), "sqlite:"+filepath.Join(dir, "x.db"), filepath.Join(dir, "keys.json"), testNow)
	if err != nil || created {
		t.Fatalf("keys: created %v, %v", created, err)
	}
	cfg := testConfig(t, "sqlite:"+filepath.Join(dir, "x.db"))
	cfg.Keyring = ring
	s := open(t, cfg)
	if acknowledged < 20 {
		t.Fatalf("the process acknowledged %d", acknowledged)
	}
	for i := range acknowledged {
		g, err := s.Grant(t.Context(), fmt.Sprintf("g%d", i))
		if err != nil || g.Upstream == nil || g.Upstream.RefreshToken != "rt" {
			t.Errorf("grant %d: %+v, %v", i, g, err)
		}
		if _, err := s.SpendCode(t.Context(), fmt.Sprintf("h%d", i), testNow); err != nil {
			t.Errorf("code %d: %v", i, err)
		}
	}
	var verdict string
	check(t, s.backend.(*sqlite).reader.QueryRowContext(t.Context(), `PRAGMA integrity_check`).Scan(&verdict))
	if verdict != "ok" {
		t.Errorf("integrity: %s", verdict)
	}
}

func victim(t *testing.T, dir string) {
	url := "sqlite:" + filepath.Join(dir, "x.db")
	ring, _, err := LoadKeys(t.Context(), url, filepath.Join(dir, "keys.json"), testNow)
	check(t, err)
	cfg := testConfig(t, url)
	cfg.Keyring = ring
	s, err := Open(t.Context(), cfg)
	check(t, err)
	for i := range 10_000 {
		id := fmt.Sprint(i)
		tx := oauth.Transaction{ID: "t" + id, Status: oauth.Consenting, UpstreamState: "u" + id, Created: testNow, Expires: testNow.Add(time.Hour)}
		check(t, s.PutTransaction(t.Context(), tx, 100_000))
		g := oauth.Grant{ID: "g" + id, Upstream: &oauth.Upstream{RefreshToken: "rt"}, Created: testNow, Expires: testNow.Add(time.Hour)}
		check(t, s.Finish(t.Context(), tx, g, oauth.Code{Hash: "h" + id, GrantID: g.ID, Expires: testNow.Add(time.Hour)}))
		fmt.Println("ack", i)
	}
}

func TestASealedRowThatWasMovedIsQuarantinedAndTheStoreGoesOn(t *testing.T) { // operations.md K3, oauth.md §16
	s := open(t, testConfig(t, databases["sqlite"](t)))
	fill(t, s)
	db, ctx := s.backend.(*sqlite), t.Context()
	tamper := func(statement string) {
		t.Helper()
		n, err := db.writer.ExecContext(ctx, statement)
		check(t, err)
		if changed, _ := n.RowsAffected(); changed != 1 {
			t.Fatalf("%s changed %d rows", statement, changed)
		}
	}
	tamper(`UPDATE grants SET sealed = (SELECT sealed FROM sessions)`)
	for range 2 {
		if g, err := s.Grant(ctx, "g1"); err != nil || g.Revoked.IsZero() || g.Reason != "unreadable" || g.Upstream != nil {
			t.Errorf("grant: %+v, %v", g, err)
		}
	}
	if list, err := s.GrantsOf(ctx, "t1/o1", testNow); err != nil || len(list) != 0 {
		t.Errorf("grants: %v, %v", list, err)
	}
	tamper(`UPDATE sessions SET sealed = 'v1.x.y.z'`)
	for range 2 {
		if _, err := s.Session(ctx, "s1"); !errors.Is(err, oauth.ErrNotFound) {
			t.Errorf("session: %v", err)
		}
	}
	tamper(`UPDATE refresh_tokens SET sealed = substr(sealed, 1, 40) WHERE id = 'r1'`)
	if r, err := s.Refresh(ctx, "r1"); err != nil || r.UsedAt.IsZero() || r.Successor != "" {
		t.Errorf("refresh token: %+v, %v", r, err)
	}
	tamper(`UPDATE transactions SET sealed = ''`)
	if _, err := s.Transaction(ctx, planted[8]); !errors.Is(err, oauth.ErrNotFound) {
		t.Errorf("transaction: %v", err)
	}
	if _, err := s.Client(ctx, "c1"); err != nil {
		t.Errorf("client: %v", err)
	}
}

func TestADatabaseOpensOnlyWithItsKeys(t *testing.T) { // operations.md K6
	dir := t.TempDir()
	url, keys := "sqlite:"+filepath.Join(dir, "x.db"), filepath.Join(dir, "keys.json")
	ring, created, err := LoadKeys(t.Context(), url, keys, testNow)
	if err != nil || !created {
		t.Fatalf("first start: created %v, %v", created, err)
	}
	cfg := testConfig(t, url)
	cfg.Keyring = ring
	s, err := Open(t.Context(), cfg)
	check(t, err)
	check(t, s.Close())

	cfg.Keyring = newRing(t)
	want := fmt.Sprintf("the database needs keys %s", ring.EncryptionIDs()[0])
	if _, err := Open(t.Context(), cfg); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "; restore storage.keys from backup") {
		t.Errorf("other keys: %v, want %q", err, want)
	}
	check(t, os.Rename(keys, keys+".away"))
	if _, _, err := LoadKeys(t.Context(), url, keys, testNow); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("missing keys: %v, want %q", err, want)
	}
	if _, err := os.Stat(keys); !os.IsNotExist(err) {
		t.Errorf("new keys were made silently: %v", err)
	}
	check(t, os.Rename(keys+".away", keys))
	if cfg.Keyring, created, err = LoadKeys(t.Context(), url, keys, testNow); err != nil || created {
		t.Fatalf("restored: created %v, %v", created, err)
	}
	open(t, cfg)
}

func TestKeysAreMadeForANewOrMemoryDatabase(t *testing.T) { // operations.md K6
	dir := t.TempDir()
	check(t, os.WriteFile(filepath.Join(dir, "empty.db"), nil, 0o600))
	for i, url := range []string{"memory:", "sqlite:" + filepath.Join(dir, "new.db"), "sqlite:" + filepath.Join(dir, "empty.db")} {
		_, created, err := LoadKeys(t.Context(), url, filepath.Join(dir, fmt.Sprint(i)), testNow)
		if err != nil || !created {
			t.Errorf("%s: created %v, %v", url, created, err)
		}
	}
	for _, file := range []string{"new.db", "new.db-wal"} {
		if _, err := os.Stat(filepath.Join(dir, file)); !os.IsNotExist(err) {
			t.Errorf("looking for keys made %s", file)
		}
	}
}

func TestAFileThatIsNoDatabaseIsRefusedAndStays(t *testing.T) {
	path := filepath.Join(t.TempDir(), "notes.txt")
	text := strings.Repeat("my notes, not a database\n", 100)
	check(t, os.WriteFile(path, []byte(text), 0o600))
	if _, err := Open(t.Context(), testConfig(t, "sqlite:"+path)); err == nil || !strings.Contains(err.Error(), "not a database") {
		t.Errorf("Open = %v", err)
	}
	if after, _ := os.ReadFile(path); string(after) != text {
		t.Error("the file was changed")
	}
}

func TestPathsMayHaveAnyCharacters(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a b%20?#ü'\"&=;")
	check(t, os.Mkdir(dir, 0o700))
	path := filepath.Join(dir, "x?mode=memory#.db")
	fill(t, open(t, testConfig(t, "sqlite:"+path)))
	if info, err := os.Stat(path); err != nil || info.Size() == 0 {
		t.Errorf("the file: %v", err)
	}
}

func migrateTest(t *testing.T, path string, steps fstest.MapFS, cfg Config) error {
	t.Helper()
	db, err := sql.Open("sqlite", sqliteDSN(path, "exclusive"))
	check(t, err)
	defer db.Close()
	return migrateWith(t.Context(), db, steps, cfg)
}

func steps(t *testing.T) fstest.MapFS {
	first, err := migrations.ReadFile("migrations/sqlite/00001_first.sql")
	check(t, err)
	return fstest.MapFS{"00001_first.sql": {Data: first}}
}

func TestMigrationsRunOnceAndAChangedOneIsRefused(t *testing.T) { // operations.md M1
	path, cfg, files := filepath.Join(t.TempDir(), "x.db"), testConfig(t, ""), steps(t)
	for range 2 {
		check(t, migrateTest(t, path, files, cfg))
	}
	changed := steps(t)
	changed["00001_first.sql"].Data = append(changed["00001_first.sql"].Data, "\n-- more\n"...)
	if err := migrateTest(t, path, changed, cfg); err == nil || !strings.Contains(err.Error(), "00001_first.sql was changed") {
		t.Errorf("changed: %v", err)
	}
}

func TestAMigrationThatFailsLeavesTheDatabaseAsItWas(t *testing.T) { // operations.md M1
	path, cfg, files := filepath.Join(t.TempDir(), "x.db"), testConfig(t, ""), steps(t)
	check(t, migrateTest(t, path, files, cfg))
	files["00002_broken.sql"] = &fstest.MapFile{Data: []byte("-- +goose Up\nCREATE TABLE half (x INTEGER);\nINSERT INTO none VALUES (1);\n")}
	if err := migrateTest(t, path, files, cfg); err == nil {
		t.Fatal("a broken migration succeeded")
	}
	db, err := sql.Open("sqlite", sqliteDSN(path, "deferred"))
	check(t, err)
	defer db.Close()
	if exists, err := hasTable(t.Context(), db, "half"); err != nil || exists {
		t.Errorf("half of it is there: %v, %v", exists, err)
	}
	check(t, migrateTest(t, path, steps(t), cfg))
}

func TestADatabaseFromTheFutureIsRefused(t *testing.T) { // operations.md M3
	path, cfg, future := filepath.Join(t.TempDir(), "x.db"), testConfig(t, ""), steps(t)
	future["00002_more.sql"] = &fstest.MapFile{Data: []byte("-- +goose Up\nUPDATE schema_version SET current = 2;\n")}
	check(t, migrateTest(t, path, future, cfg))
	check(t, migrateTest(t, path, steps(t), cfg)) // expanded only: the older binary keeps serving (M2)
	future["00003_contract.sql"] = &fstest.MapFile{Data: []byte("-- +goose Up\nUPDATE schema_version SET current = 3, oldest_reader = 3, release = '0.9';\n")}
	check(t, migrateTest(t, path, future, cfg))
	want := "the database was upgraded to 3; this binary reads up to 1; run 0.9 or newer"
	if err := migrateTest(t, path, steps(t), cfg); err == nil || err.Error() != want {
		t.Errorf("older binary: %v, want %q", err, want)
	}
}

func TestNoMigrateRefusesWithWhatIsDue(t *testing.T) { // operations.md M5
	cfg := testConfig(t, databases["sqlite"](t))
	cfg.NoMigrate = true
	if _, err := Open(t.Context(), cfg); err == nil || !strings.Contains(err.Error(), "needs migrations: 00001_first.sql") {
		t.Errorf("new database: %v", err)
	}
	cfg.NoMigrate = false
	check(t, open(t, cfg).Close())
	cfg.NoMigrate = true
	open(t, cfg)
}

func TestEverySealedPlaceHasItsOwnBinding(t *testing.T) { // operations.md K3
	db := open(t, testConfig(t, databases["sqlite"](t))).backend.(*sqlite)
	places := []string{grantPlace + "x", refreshPlace + "x", sessionPlace + "x", transactionPlace + "x", grantPlace + "y"}
	for _, made := range places {
		sealed, err := db.seal(made, "v")
		check(t, err)
		for _, used := range places {
			var v string
			if err := db.open(used, sealed, &v); (err == nil) != (made == used) || err != nil && !errors.Is(err, secret.ErrSealed) {
				t.Errorf("made for %s, opened at %s: %v", made, used, err)
			}
		}
	}
}
