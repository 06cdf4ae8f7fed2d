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

	mu      sync.Mutex
	room    *sync.Cond       // there is room for rows, or closed
	batches [][]proxy.Record // not yet written, oldest first; each at most ledgerBatch rows
	rows    int              // in all batches
	taken   bool             // the first batch is being written: it takes no more rows
	spare   []proxy.Record   // an empty batch to use again: growing one for every burst costs more than a row
	closed  bool

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
	for l.rows >= ledgerBuffer && !l.closed {
		l.room.Wait()
	}
	if l.closed { // calls end before the store does: this is a fault of ours, and it must not be silent
		l.log.Error("ledger row after close is lost", "id", r.ID, "request_id", r.RequestID)
		return
	}
	last := len(l.batches) - 1
	if last < 0 || last == 0 && l.taken || len(l.batches[last]) == ledgerBatch {
		l.batches = append(l.batches, l.spare)
		l.spare = nil
		last++
	}
	l.batches[last] = append(l.batches[last], r)
	l.rows++
	if l.rows == 1 || l.rows == ledgerBatch {
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
	ready := l.closed || l.rows >= ledgerBatch
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
		batch := l.take()
		if len(batch) == 0 {
			return nil
		}
		if err := l.write(ctx, batch); err != nil {
			return fmt.Errorf("write ledger: %w", err)
		}
		l.written(batch)
		l.room.Broadcast()
	}
}

// take returns the oldest batch, which stays where it is until it is written.
func (l *ledger) take() []proxy.Record {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.batches) == 0 {
		return nil
	}
	l.taken = true
	return l.batches[0]
}

// written drops the oldest batch. One is kept empty; the memory of a burst is given back.
func (l *ledger) written(batch []proxy.Record) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.batches = l.batches[1:]
	l.rows -= len(batch)
	l.taken = false
	clear(batch)
	l.spare = batch[:0]
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
	return errors.Join(err, fmt.Errorf("%d ledger rows are lost", l.rows))
}
