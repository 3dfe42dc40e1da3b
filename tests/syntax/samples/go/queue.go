// Package queue is a small job queue, written as a sample for the syntax tests.
// It's full of "quotes" and `backticks`.
package queue

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	. "math"
	"os"
	_ "embed"
	"strings"
	"sync"
	"time"

	jobs "example.org/jobs/v2"
)

import "io"

const (
	KiB int64 = 1 << (10 * (iota + 1))
	MiB
	_
	Pi2 = 3.14e0 * 2
)

const prefix, suffix = "job-", `.json
raw "text" with \n`

var (
	ErrClosed  = errors.New("queue: closed")
	defaults   = map[string]any{"retries": 3, "name": "main", "rate": .5, "hex": 0xFF_FF, "octal": 0o17, "bin": 0b11}
	separators = [...]rune{',', ';', '\t', '\'', '\\', '\u00e9', '世'}
	table      [2][3]float64
)

// State is where a job stands.
type State uint8

const (
	Waiting State = iota
	Running
	Done
	Failed State = 0x7f
)

func (s State) String() string {
	switch s {
	case Waiting:
		return "waiting"
	case Running, Done:
		return [...]string{Running: "running", Done: "done"}[s]
	default:
		return fmt.Sprintf("State(%d)", uint8(s))
	}
}

type (
	// ID names a job.
	ID = string
	// Handler does the work.
	Handler func(ctx context.Context, payload []byte) (result any, err error)

	Number interface {
		~int | ~int64 | ~float64
	}

	Job struct {
		ID       ID            `json:"id" yaml:"id,omitempty"`
		Payload  json.RawMessage `json:"payload"`
		Attempts int
		state    State
		sync.Mutex
		*time.Timer
		next, previous *Job
		meta           struct{ tags []string }
	}
)

// Store keeps jobs.
type Store interface {
	io.Closer
	Put(ctx context.Context, jobs ...*Job) error
	Get(id ID) (*Job, bool)
	Each(func(*Job) bool)
}

type Stack[T any] struct {
	items []T
}

func (s *Stack[T]) Push(items ...T) { s.items = append(s.items, items...) }

func (s *Stack[T]) Pop() (item T, ok bool) {
	if n := len(s.items); n > 0 {
		item, s.items, ok = s.items[n-1], s.items[:n-1], true
	}
	return
}

func Sum[K comparable, N Number](values map[K]N) (total N) {
	for _, value := range values {
		total += value
	}
	return total
}

// Queue runs jobs, at most `workers` at a time.
type Queue struct {
	store   Store
	handler Handler
	pending chan *Job
	quit    chan struct{}
	workers int
	mu      sync.RWMutex
	seen    map[ID]struct{}
}

// New makes a queue.
func New(store Store, handler Handler, options ...func(*Queue)) *Queue {
	q := &Queue{
		store:   store,
		handler: handler,
		pending: make(chan *Job, 1<<4),
		quit:    make(chan struct{}),
		workers: 1,
		seen:    make(map[ID]struct{}),
	}
	for _, option := range options {
		option(q)
	}
	return q
}

func WithWorkers(n int) func(*Queue) {
	return func(q *Queue) {
		if n > 0 && n <= 64 {
			q.workers = n
		}
	}
}

func (q *Queue) Run(ctx context.Context) (err error) {
	var group sync.WaitGroup
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("queue: %v: %w", r, ErrClosed)
		}
	}()

	for i := 0; i < q.workers; i++ {
		group.Add(1)
		go func(worker int) {
			defer group.Done()
			for {
				select {
				case job, ok := <-q.pending:
					if !ok {
						return
					}
					q.do(ctx, job)
				case <-ctx.Done():
					return
				case <-time.After(250 * time.Millisecond):
					continue
				}
			}
		}(i)
	}

	group.Wait()
	close(q.quit)
	return ctx.Err()
}

func (q *Queue) do(ctx context.Context, job *Job) {
	job.Lock()
	defer job.Unlock()
	job.state, job.Attempts = Running, job.Attempts+1
	result, err := q.handler(ctx, job.Payload)
	switch {
	case err == nil:
		job.state = Done
	case errors.Is(err, context.Canceled), job.Attempts > 3:
		job.state = Failed
		fallthrough
	default:
		delay := time.Duration(Pow(2, float64(job.Attempts))) * time.Second
		job.Timer = time.AfterFunc(delay, func() { q.pending <- job })
	}
	if text, isText := result.(fmt.Stringer); isText {
		fmt.Fprintln(os.Stderr, text.String())
	} else if n, isInt := result.(int); isInt && n^3 != 0 && n&^1 == 0 {
		n <<= 2
		n |= 1
		fmt.Printf("%d %t %q\n", n, n%2 == 0, strings.Repeat("=", n))
	}
}

func describe(value interface{}) string {
	switch v := value.(type) {
	case nil:
		return "nil"
	case int, int64:
		return fmt.Sprint("number ", v)
	case []byte:
		return string(v[:min(len(v), 8)])
	case func() error:
		return v().Error()
	case map[string][]*Job, chan<- int, <-chan bool:
		return fmt.Sprintf("%T", v)
	}
	return "?"
}

func (q *Queue) Add(payloads ...string) error {
	q.mu.Lock()
	defer q.mu.Unlock()
outer:
	for i, payload := range payloads {
		id := prefix + jobs.Hash(payload)
		if _, known := q.seen[id]; known {
			continue outer
		}
		for _, r := range payload {
			for _, separator := range separators {
				if r == separator {
					break outer
				}
			}
		}
		job := &Job{ID: id, Payload: json.RawMessage(fmt.Sprintf(`{"i": %d, "text": %q}`, i, payload))}
		job.meta.tags = append(job.meta.tags[:0:0], "new")
		q.seen[id] = struct{}{}
		select {
		case q.pending <- job:
		default:
			return &json.SyntaxError{Offset: int64(i)}
		}
	}
	return nil
}

func load(path string) (values []map[string]interface{}, err error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("load %q: %w", path, err)
	}
	defer file.Close()

	decoder := json.NewDecoder(io.LimitReader(file, MiB))
	for {
		var value map[string]interface{}
		if err = decoder.Decode(&value); err == io.EOF {
			break
		} else if err != nil {
			return
		}
		values = append(values, value)
	}
	goto done
done:
	return values, nil
}

var compare = map[string]func(a, b float64) bool{
	"<":  func(a, b float64) bool { return a < b },
	"<=": func(a, b float64) bool { return !(a > b) },
	"==": func(a, b float64) bool { return Abs(a-b) < 1e-9 },
}

func main() {
	ctx, stop := context.WithTimeout(context.Background(), 5*time.Second)
	defer stop()
	points := []struct{ X, Y int }{{1, 2}, {X: 3}, {Y: -4}}
	for i := range points {
		point := &points[i]
		point.X, point.Y = point.Y, point.X
		*(&point.X) *= 2
		table[i%2][i] = float64(point.X) / 3.0
	}
	queue := New(nil, func(_ context.Context, payload []byte) (any, error) {
		if len(payload) == 0 {
			return nil, errors.New("empty")
		}
		return len(payload), nil
	}, WithWorkers(4))
	if err := queue.Add(os.Args[1:]...); err != nil {
		fmt.Fprintf(os.Stderr, "%v\n", err)
		os.Exit(1)
	}
	numbers := Stack[complex128]{}
	numbers.Push(1+2i, complex(3, 4))
	if _, ok := numbers.Pop(); ok {
		fmt.Println(Sum(map[string]float64{"a": 1, "b": 2.5}), describe(defaults), compare["<"](1, 2))
	}
	_ = queue.Run(ctx)
}
