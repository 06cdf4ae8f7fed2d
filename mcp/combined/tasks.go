package combined

import (
	"bytes"
	"context"
	"encoding/json"
	"strings"

	"github.com/drawbridge-mcp/drawbridge/mcp"
	"github.com/drawbridge-mcp/drawbridge/mcp/edge"
	"github.com/drawbridge-mcp/drawbridge/mcp/internal/listing"
	"github.com/drawbridge-mcp/drawbridge/mcp/internal/strictjson"
	"github.com/drawbridge-mcp/drawbridge/proxy/identity"
)

// tasks remember which source made which task, and for whom: ids of tasks are the sources' own, and go through as bytes
// (C8). They live longer than calls, so that a snapshot takes them over from the one before.
//
//	tools/call ─▶ {"resultType":"task","taskId":T} ─ T is of source a, for alice ⇢ tasks/get T of alice ─▶ source a
type tasks struct {
	byOwner *listing.Kept[taskOf] // by owner and id
	byID    *listing.Kept[string] // whose the id is, for those who ask for what is not theirs
}

type taskOf struct {
	as   string // prefix of the source
	tool string // that made it, by its public name; "" when it is not known
}

const maxTasks = 100_000

func newTasks() *tasks {
	return &tasks{byOwner: listing.NewKept[taskOf](maxTasks, 1), byID: listing.NewKept[string](maxTasks, 1)}
}

func (t *tasks) add(c *identity.Caller, id string, of taskOf) {
	owner := ownerOf(c)
	t.byOwner.Delete(owner + "\x00" + id)
	t.byOwner.Make(owner+"\x00"+id, func() (taskOf, int) { return of, 0 })
	t.byID.Make(id, func() (string, int) { return owner, 0 })
}

// find returns whose task it is; others says that it is somebody else's.
func (t *tasks) find(c *identity.Caller, id string) (of taskOf, known, others bool) {
	if of, known = t.byOwner.Get(ownerOf(c) + "\x00" + id); known {
		return of, true, false
	}
	_, others = t.byID.Get(id)
	return taskOf{}, false, others
}

// noteTask remembers the task that a call of a tool became, if it became one.
func (s *Server) noteTask(c *identity.Caller, src *source, tool string, result []byte) {
	if src.Made || !bytes.Contains(result, []byte(`taskId`)) {
		return
	}
	if id, ok := madeTask(result); ok {
		s.tasks.add(c, id, taskOf{src.As, tool})
	}
}

// madeTask reads the id of a task from a result that is one: flat in the modern era, under task in the legacy one.
func madeTask(result []byte) (id string, ok bool) {
	m, err := strictjson.Decode(append(append([]byte(`{"jsonrpc":"2.0","id":1,"result":`), result...), '}'),
		strictjson.Limits{Depth: maxDepth, Members: maxMembers, Upstream: true})
	if err != nil {
		return "", false
	}
	at := m.Result
	if kind, _ := m.Text(m.Member(at, "resultType")); kind != "task" {
		at = m.Member(at, "task")
	}
	id, ok = m.Text(m.Member(at, "taskId"))
	return id, ok && id != "" && len(id) <= maxTaskID
}

const maxTaskID = 1024 // bytes

// task answers what is about one task, from the source that made it.
func (s *Server) task(ctx context.Context, r *edge.Request) (json.RawMessage, error) {
	id, ok := r.Message.Text(r.Message.TaskID)
	of, known, others := s.tasks.find(r.Caller, id)
	if known && s.byAs[of.as] != nil && s.MayUse(r.Caller, of.tool) {
		return handled(ctx, s.byAs[of.as], s.byAs[of.as].request(r))
	}
	makers, complete := s.makers(ctx, r)
	switch {
	case len(makers) == 0 && complete:
		return nil, edge.MethodNotFound(r.Message.Method)
	case !ok:
		return nil, edge.InvalidParams("params.taskId must be a string")
	case known || others || len(makers) != 1 || !complete || id == "" || len(id) > maxTaskID:
		// Where several make tasks none is asked: what names a task, and what a person answers in it, is nothing for strangers.
		return nil, unknownTask(id)
	}
	// One that was made before a restart, or at another replica.
	result, err := handled(ctx, makers[0], makers[0].request(r))
	if err == nil {
		s.tasks.add(r.Caller, id, taskOf{as: makers[0].As})
	}
	return result, err
}

// makers are the sources that make tasks; complete says that no other can be one.
func (s *Server) makers(ctx context.Context, r *edge.Request) (list []*source, complete bool) {
	complete = true
	for i, a := range s.gatherAbout(ctx, r) {
		switch {
		case s.sources[i].Made:
		case a == nil:
			complete = false
		case a.makesTasks():
			list = append(list, s.sources[i])
		}
	}
	return list, complete
}

const tasksExtension = "io.modelcontextprotocol/tasks"

// makesTasks reports whether the source makes tasks, in either era's way of saying so.
func (a *about) makesTasks() bool {
	extensions, _ := a.capabilities["extensions"].(map[string]any)
	_, modern := extensions[tasksExtension]
	_, legacy := a.capabilities["tasks"]
	return modern || legacy
}

// othersTask reports whether a notification is about a task that is not known to be the caller's: streams to a source may be
// shared, and whose a task is the source does not say.
func (s *Server) othersTask(c *identity.Caller, m *strictjson.Message) bool {
	if !strings.HasPrefix(m.Method, "notifications/tasks") {
		return false
	}
	id, ok := m.Text(m.TaskID)
	if !ok {
		return true
	}
	_, known, _ := s.tasks.find(c, id)
	return !known
}

func unknownTask(id string) error { return edge.InvalidParams("unknown task: %s", mcp.Clip(id)) }
