package proxy

import (
	"context"
	"errors"
)

type target struct{ members []member }
type member struct{ road *road }
type road struct{ backend *Backend }
type run struct{}

func build(Config, *State, Deps) (*Pipeline, error) { return nil, errors.New("proxy: not built yet") }
func newRun(*Pipeline, *Call) *run                  { return &run{} }
func (*run) do(context.Context) (*Answer, error)    { return nil, errors.New("proxy: not built yet") }
