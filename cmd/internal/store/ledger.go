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
// the database has it. A batch that was tried takes no more rows, so that writing it again changes nothing (operations.md
// U1, U10).
type ledger struct {
	to    backend
	every time.Duration
	log   *slog.Logger

	mu      sync.Mutex
	room    *sync.Cond       // there is room for rows, or closed
	batches [][]proxy.Record // not yet written, oldest first; each at most ledgerBatch rows
	rows    int              // in all batches
	due     time.Time        // the last batch is written then, full or not
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
		l.due = time.Now().Add(l.every)
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
		err := l.write(context.Background(), l.gather())
		if l.isClosed() {
			return // close makes the last try and reports
		}
		if err != nil {
			if !failed {
				l.log.Error("ledger cannot be written; rows are kept", "err", err)
			}
			failed = true
			l.pause(ledgerRetry)
			continue
		}
		if failed {
			l.log.Info("ledger is written again")
		}
		failed = false
	}
}

// gather waits until rows are due, or the end, and returns how many. What comes while others are written waits for its
// own time: else a busy ledger would be written a few rows at a time, each few as dear as a thousand.
func (l *ledger) gather() int {
	for {
		rows, due, closed := l.ready()
		if rows > 0 || closed {
			return rows
		}
		if due.IsZero() {
			<-l.wake
		} else {
			l.pause(time.Until(due))
		}
	}
}

// ready returns how many rows are due, and when the next are: all batches but the last, which may yet grow until its time.
func (l *ledger) ready() (rows int, due time.Time, closed bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	last := len(l.batches) - 1
	switch {
	case last < 0:
		return 0, time.Time{}, l.closed
	case l.closed || len(l.batches[last]) == ledgerBatch || !time.Now().Before(l.due):
		return l.rows, time.Time{}, l.closed
	}
	return l.rows - len(l.batches[last]), l.due, false
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
	l.mu.Lock()
	rows := l.rows
	l.mu.Unlock()
	return l.write(ctx, rows)
}

// write writes the oldest batches until that many rows are written.
func (l *ledger) write(ctx context.Context, rows int) error {
	l.writing.Lock()
	defer l.writing.Unlock()
	for rows > 0 {
		batch := l.take()
		if len(batch) == 0 {
			return nil
		}
		if err := l.writeBatch(ctx, batch); err != nil {
			return fmt.Errorf("write ledger: %w", err)
		}
		l.written(batch)
		l.room.Broadcast()
		rows -= len(batch)
	}
	return nil
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

func (l *ledger) writeBatch(ctx context.Context, batch []proxy.Record) error {
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
