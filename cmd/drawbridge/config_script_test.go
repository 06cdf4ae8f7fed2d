package main

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestConfigCommands runs validate, schema, import and connect as a shell would: their output, their
// channels and their exit codes (CONTRACT §1, operations.md §1.3).
func TestConfigCommands(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:           "testdata/config/scripts",
		UpdateScripts: *update,
		Cmds:          map[string]func(*testscript.TestScript, bool, []string){"drawbridge": drawbridge},
		Setup: func(e *testscript.Env) error {
			server := httptest.NewServer(http.HandlerFunc(serveDocument))
			e.Defer(server.Close)
			secure := httptest.NewUnstartedServer(http.HandlerFunc(serveDocument))
			secure.Config.ErrorLog = log.New(io.Discard, "", 0)
			secure.StartTLS()
			e.Defer(secure.Close)
			e.Setenv("DOCS", server.URL)
			e.Setenv("TLSDOCS", secure.URL)
			e.Setenv("SWAPPED", "https"+strings.TrimPrefix(server.URL, "http"))
			e.Setenv("SECRET", planted)
			return nil
		},
	})
}

// TestHelperDrawbridge is the program in a process of its own, for the scripts; by itself it does nothing.
func TestHelperDrawbridge(t *testing.T) {
	if os.Getenv("DRAWBRIDGE_HELPER") == "" {
		t.Skip("only the scripts run it")
	}
	p := &program{in: os.Stdin, out: os.Stdout, err: os.Stderr, env: os.LookupEnv}
	os.Exit(p.run(t.Context(), flag.Args()))
}

// drawbridge runs one command line: drawbridge CODE ARGS…; the exit code must be CODE.
func drawbridge(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: drawbridge CODE ARGS…")
	}
	exe, err := os.Executable()
	ts.Check(err)
	cmd := exec.Command(exe, append([]string{"-test.run=^TestHelperDrawbridge$", "--"}, args[1:]...)...)
	var out, errs bytes.Buffer
	cmd.Dir, cmd.Stdin, cmd.Stdout, cmd.Stderr = ts.MkAbs("."), strings.NewReader(ts.ReadFile("stdin")), &out, &errs
	cmd.Env = append(os.Environ(), "DRAWBRIDGE_HELPER=1", "SECRET="+ts.Getenv("SECRET"), "DOCS="+ts.Getenv("DOCS"))
	err = cmd.Run()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		ts.Check(err)
	}
	fmt.Fprint(ts.Stdout(), out.String())
	fmt.Fprint(ts.Stderr(), errs.String())
	if strings.Contains(out.String()+errs.String(), planted) {
		ts.Fatalf("a secret is told")
	}
	if code := cmd.ProcessState.ExitCode(); fmt.Sprint(code) != args[0] {
		ts.Fatalf("exit code %d, want %s", code, args[0])
	}
}

const smallDocument = `{"openapi":"3.0.3","info":{"title":"Small","version":"1"},"paths":{"/things":{"get":{"operationId":"listThings","responses":{"200":{"description":"ok"}}}}}}`

func serveDocument(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case "/small.json":
		_, _ = w.Write([]byte(smallDocument))
	case "/moved":
		http.Redirect(w, r, "/small.json", http.StatusFound)
	case "/away":
		http.Redirect(w, r, "http://localhost:1/small.json", http.StatusFound)
	case "/login":
		w.WriteHeader(http.StatusUnauthorized)
	case "/loop":
		http.Redirect(w, r, "/loop", http.StatusFound)
	default:
		http.NotFound(w, r)
	}
}
