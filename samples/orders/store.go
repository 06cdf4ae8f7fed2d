package orders

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

const maxOrders = 10_000

var statuses = map[string]bool{"open": true, "paid": true, "shipped": true, "delivered": true, "cancelled": true}

// store keeps orders by number; mu guards all of it.
type store struct {
	now func() time.Time

	mu     sync.Mutex
	next   int
	orders map[int]*Order
}

func newStore(now func() time.Time) *store {
	s := &store{now: now, next: 1001, orders: map[int]*Order{}}
	customers := []string{"Ada Lovelace", "Grace Hopper", "Alan Turing", "Katherine Johnson", "Edsger Dijkstra"}
	goods := []Line{{"TEA-EARLGREY", 2, 6.50}, {"MUG-BLUE", 1, 12.00}, {"KETTLE-1L", 1, 39.90}, {"FILTER-100", 4, 3.25}}
	states := []string{"open", "paid", "shipped", "delivered", "cancelled"}
	start := time.Date(2026, 1, 5, 9, 0, 0, 0, time.UTC)
	for i := range 20 {
		lines := goods[i%4 : i%4+1+i%2*min(1, 3-i%4)]
		o := Order{
			Customer: customers[i%len(customers)], Status: states[i*7%len(states)], Lines: slices.Clone(lines),
			Total: total(lines), Created: start.Add(time.Duration(i) * 31 * time.Hour),
		}
		o.ID = strconv.Itoa(s.next)
		s.orders[s.next] = &o
		s.next++
	}
	return s
}

func (s *store) list(status, customer, cursor string, limit int) (page []Order, matching int, next string, err error) {
	below := int(^uint(0) >> 1)
	if cursor != "" {
		n, err := strconv.Atoi(strings.TrimPrefix(cursor, "before-"))
		if err != nil || !strings.HasPrefix(cursor, "before-") {
			return nil, 0, "", problem(400, "cursor must be a next_cursor of an earlier page")
		}
		below = n
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	numbers := make([]int, 0, len(s.orders))
	for n := range s.orders {
		numbers = append(numbers, n)
	}
	slices.SortFunc(numbers, func(a, b int) int { return cmp.Compare(b, a) })
	page = []Order{}
	for _, n := range numbers {
		o := s.orders[n]
		if status != "" && o.Status != status || !strings.Contains(strings.ToLower(o.Customer), strings.ToLower(customer)) {
			continue
		}
		matching++
		if n >= below {
			continue
		}
		if len(page) < limit {
			page = append(page, *o)
		} else if next == "" {
			next = "before-" + page[len(page)-1].ID
		}
	}
	return page, matching, next, nil
}

func (s *store) get(id string) (Order, error) {
	return s.change(id, func(*Order) error { return nil })
}

// change applies f to a copy and keeps the copy when f has no objection.
func (s *store) change(id string, f func(*Order) error) (Order, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n, _ := strconv.Atoi(id)
	o, ok := s.orders[n]
	if !ok {
		return Order{}, problem(404, fmt.Sprintf("there is no order %.20q", id))
	}
	changed := *o
	if err := f(&changed); err != nil {
		return Order{}, err
	}
	s.orders[n] = &changed
	return changed, nil
}

func (s *store) add(o Order) (Order, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.orders) >= maxOrders {
		return Order{}, problem(507, "the sample keeps at most 10,000 orders; delete some")
	}
	o.ID, o.Created = strconv.Itoa(s.next), s.now().UTC().Truncate(time.Second)
	s.orders[s.next] = &o
	s.next++
	return o, nil
}

func (s *store) remove(id string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	n, _ := strconv.Atoi(id)
	if _, ok := s.orders[n]; !ok {
		return problem(404, fmt.Sprintf("there is no order %.20q", id))
	}
	delete(s.orders, n)
	return nil
}

func (s *store) sales() map[string]any {
	s.mu.Lock()
	defer s.mu.Unlock()
	var cents int64
	by := map[string]int64{}
	for _, o := range s.orders {
		c := int64(o.Total*100 + 0.5)
		cents += c
		by[o.Status] += c
	}
	euros := map[string]float64{}
	for k, c := range by {
		euros[k] = float64(c) / 100
	}
	return map[string]any{"orders": len(s.orders), "total": float64(cents) / 100, "by_status": euros}
}
