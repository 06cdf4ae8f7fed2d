package store

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/drawbridge-mcp/drawbridge/proxy"
)

const (
	ledgerBuffer = 65536 // rows; beyond it calls wait
	ledgerBatch  = 1000  // rows a transaction
	ledgerRetry  = time.Second
	ledgerClose  = 10 * time.Second // for what is left at the end
	ledgerWrite  = 10 * time.Second // for one transaction
)

// ledger takes rows from calls and writes them in batches, in order, from one goroutine. A row stays in the buffer until
// the database has it; its id makes writing it again harmless (operations.md U1, U10).
type ledger struct {
	to    backend
	every time.Duration
	log   *slog.Logger

	mu     sync.Mutex
	room   *sync.Cond     // there is room in rows, or closed
	rows   []proxy.Record // not yet written
	closed bool

	writing sync.Mutex    // held by whoever writes: the order of rows stays
	wake    chan struct{} // rows are there, or closed; capacity 1
	done    chan struct{} // closed when the writer has ended
}

func newLedger(to backend, cfg Config) *ledger {
	l := &ledger{to: to, every: cfg.Flush, log: cfg.Log, wake: make(chan struct{}, 1), done: make(chan struct{})}
	l.room = sync.NewCond(&l.mu)
	go l.run()
	return l
}

func (l *ledger) record(r proxy.Record) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for len(l.rows) >= ledgerBuffer && !l.closed {
		l.room.Wait()
	}
	if l.closed { // calls end before the store does: this is a fault of ours, and it must not be silent
		l.log.Error("ledger row after close is lost", "id", r.ID, "request_id", r.RequestID)
		return
	}
	l.rows = append(l.rows, r)
	if len(l.rows) == 1 || len(l.rows) == ledgerBatch {
		l.nudge()
	}
}

func (l *ledger) nudge() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// run writes what has gathered: a moment after the first row, at once when a batch is full.
func (l *ledger) run() {
	defer close(l.done)
	failed := false
	for {
		<-l.wake
		l.gather()
		for {
			err := l.flush(context.Background())
			if err == nil {
				if failed {
					l.log.Info("ledger is written again")
				}
				failed = false
				break
			}
			if l.isClosed() {
				return // close makes the last try and reports
			}
			if !failed {
				l.log.Error("ledger cannot be written; rows are kept", "err", err)
			}
			failed = true
			l.pause(ledgerRetry)
		}
		if l.isClosed() {
			return
		}
	}
}

// gather waits until more rows may have come: the flush time, a full batch or the end.
func (l *ledger) gather() {
	l.mu.Lock()
	ready := l.closed || len(l.rows) >= ledgerBatch
	l.mu.Unlock()
	if !ready {
		l.pause(l.every)
	}
}

func (l *ledger) pause(d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-l.wake:
	}
}

func (l *ledger) isClosed() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.closed
}

// flush writes all rows that are there now.
func (l *ledger) flush(ctx context.Context) error {
	l.writing.Lock()
	defer l.writing.Unlock()
	for {
		l.mu.Lock()
		batch := l.rows[:min(len(l.rows), ledgerBatch)]
		l.mu.Unlock()
		if len(batch) == 0 {
			return nil
		}
		if err := l.write(ctx, batch); err != nil {
			return fmt.Errorf("write ledger: %w", err)
		}
		l.mu.Lock()
		if l.rows = l.rows[len(batch):]; len(l.rows) == 0 {
			l.rows = nil // gives the memory of a burst back
		}
		l.mu.Unlock()
		l.room.Broadcast()
	}
}

func (l *ledger) write(ctx context.Context, batch []proxy.Record) error {
	ctx, cancel := context.WithTimeout(ctx, ledgerWrite)
	defer cancel()
	return l.to.writeUsage(ctx, batch)
}

// close takes no more rows and writes those that are there.
func (l *ledger) close() error {
	l.mu.Lock()
	l.closed = true
	l.mu.Unlock()
	l.room.Broadcast()
	l.nudge()
	<-l.done
	ctx, cancel := context.WithTimeout(context.Background(), ledgerClose)
	defer cancel()
	err := l.flush(ctx)
	if err == nil {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return errors.Join(err, fmt.Errorf("%d ledger rows are lost", len(l.rows)))
}
