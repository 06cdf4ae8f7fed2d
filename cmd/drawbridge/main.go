// Command drawbridge is a gateway between AI clients and everything they call: REST APIs become MCP servers, people sign
// in with their company's identity provider, and applications reach language models under limits.
//
//	main ─ one file a command ─▶ serve: configuration → keys → store → snapshot → listeners → ready
//	                                     reload: the next snapshot, whole, then one swap
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
)

// Exit codes (CONTRACT §1).
const (
	exitFailed = 1 // the work failed
	exitUsage  = 2 // the command line or the configuration is wrong
)

// exitError ends the program with a code. err may be nil when everything was said already.
type exitError struct {
	code int
	err  error
}

func (e *exitError) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit %d", e.code)
	}
	return e.err.Error()
}

func (e *exitError) Unwrap() error { return e.err }

// program is what commands need of the world around them; tests give their own.
type program struct {
	in       io.Reader
	out, err io.Writer
	env      func(string) (string, bool)

	config    string // -c
	logLevel  string
	logFormat string // text, json; "" = text on a terminal, else json
	logSet    bool   // --log-level was given
}

func main() {
	ctx, stop := untilSignal()
	defer stop()
	hardenProcess()
	p := &program{in: os.Stdin, out: os.Stdout, err: os.Stderr, env: os.LookupEnv}
	floor := newHeapFloor(p.env)
	code := p.run(ctx, os.Args[1:])
	runtime.KeepAlive(floor)
	os.Exit(code)
}

// untilSignal ends the context at the first SIGINT or SIGTERM, for a graceful stop; a second signal ends the program at
// once (operations.md §15).
func untilSignal() (context.Context, context.CancelFunc) {
	ctx, stop := context.WithCancel(context.Background())
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		<-signals
		stop()
		<-signals
		os.Exit(exitFailed)
	}()
	return ctx, stop
}

// run executes one command line and returns its exit code. Errors go to standard error, one line each.
func (p *program) run(ctx context.Context, args []string) int {
	root := p.root()
	root.SetArgs(args)
	root.SetIn(p.in)
	root.SetOut(p.out)
	root.SetErr(p.err)
	cmd, err := root, knownCommand(root, args)
	if err == nil {
		cmd, err = root.ExecuteContextC(ctx)
	}
	if err == nil {
		return 0
	}
	var exit *exitError
	if errors.As(err, &exit) {
		if exit.err != nil {
			fmt.Fprintln(p.err, oneLine(exit.err))
		}
		return exit.code
	}
	fmt.Fprintln(p.err, oneLine(err))
	fmt.Fprintf(p.err, "run \"%s --help\" for usage\n", cmd.CommandPath())
	return exitUsage
}

func (p *program) root() *cobra.Command {
	root := &cobra.Command{
		Use:           "drawbridge",
		Short:         "A gateway between AI clients and everything they call",
		Long:          "Drawbridge turns REST APIs into MCP servers, signs people in, and carries model calls under limits.\nStart with: drawbridge try",
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          cobra.NoArgs,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
		PersistentPreRun: func(cmd *cobra.Command, _ []string) {
			p.logSet = cmd.Flags().Changed("log-level")
		},
	}
	flags := root.PersistentFlags()
	flags.StringVarP(&p.config, "config", "c", defaultConfig, "configuration file")
	flags.StringVar(&p.logLevel, "log-level", "info", "debug, info, warn or error")
	flags.StringVar(&p.logFormat, "log-format", "", "text or json (default: text on a terminal, else json)")
	root.CompletionOptions.HiddenDefaultCmd = true
	root.AddCommand(
		p.tryCommand(), p.serveCommand(), newValidateCommand(p), newImportCommand(p), p.toolsCommand(), p.callCommand(),
		newConnectCommand(p), newSchemaCommand(p), p.healthcheckCommand(), p.versionCommand(), p.tokenCommand(), p.conformanceClientCommand(),
	)
	return root
}

// oneLine keeps an error on one line, so that scripts can count on it; several faults come as several lines.
func oneLine(err error) string {
	return strings.ReplaceAll(strings.TrimRight(err.Error(), "\n"), "\r", "")
}

// usage marks an error of the command line itself.
func usage(format string, args ...any) error {
	return &exitError{exitUsage, fmt.Errorf(format, args...)}
}

// failed marks work that did not succeed.
func failed(format string, args ...any) error {
	return &exitError{exitFailed, fmt.Errorf(format, args...)}
}
