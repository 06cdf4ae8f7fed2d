package openapi

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// corpusRow is what docs/openapi-corpus.md says of a document, but for time and memory.
type corpusRow struct {
	Version                                       string
	Operations, Tools, Skipped, Warnings, Largest int
}

func newCorpusRow(d *Document) corpusRow {
	row := corpusRow{d.OpenAPI, d.Operations, len(d.Tools), len(d.Skipped), len(d.Warnings), 0}
	for _, t := range d.Tools {
		row.Largest = max(row.Largest, t.Bytes)
	}
	return row
}

func (r corpusRow) cells(name string) string {
	return fmt.Sprintf("| `%s` | %s | %d | %d | %d | %d | %d |", name, r.Version, r.Operations, r.Tools, r.Skipped, r.Warnings, r.Largest)
}

const corpusTable = "../docs/openapi-corpus.md"

// checkCorpusTable holds docs/openapi-corpus.md to what the corpus gives.
func checkCorpusTable(t *testing.T, documents []string, rows map[string]corpusRow) {
	t.Helper()
	data, err := os.ReadFile(corpusTable)
	if err != nil {
		t.Errorf("the table is not there: %v", err)
		return
	}
	for _, name := range documents {
		if row, imported := rows[name]; imported && !strings.Contains(string(data), row.cells(name)) {
			t.Errorf("%s is out of date (go test ./openapi -run TestCorpusTable -update writes it): want %s", corpusTable, row.cells(name))
		}
	}
}

// TestCorpusTable writes docs/openapi-corpus.md with -update, each document imported in a process of its own.
func TestCorpusTable(t *testing.T) {
	_, documents := corpus(t)
	if !*update {
		t.Skip("TestCorpus holds the table to the corpus; -update writes it")
	}
	var b strings.Builder
	b.WriteString("# What the importer makes of real documents\n\nWritten by `go test ./openapi -run TestCorpusTable -update`. Each document is imported cold, in a process of its own, on two cores.\n" +
		"The processor time and the largest resident memory are those of the whole process, the test binary included. Bytes are those of the largest tool as it stands in `tools/list`.\n\n" +
		"| document | version | operations | tools | skipped | warnings | largest tool (bytes) | CPU ms | peak MiB |\n|---|---|---:|---:|---:|---:|---:|---:|---:|\n")
	var sum corpusRow
	for _, name := range documents {
		cost := importAlone(t, name)
		row := cost.Row
		fmt.Fprintf(&b, "%s %d | %d |\n", row.cells(name), cost.CPUMillis, cost.PeakKiB>>10)
		sum.Operations, sum.Tools, sum.Skipped = sum.Operations+row.Operations, sum.Tools+row.Tools, sum.Skipped+row.Skipped
		sum.Warnings, sum.Largest = sum.Warnings+row.Warnings, max(sum.Largest, row.Largest)
	}
	fmt.Fprintf(&b, "| all %d | | %d | %d | %d | %d | %d | | |\n", len(documents), sum.Operations, sum.Tools, sum.Skipped, sum.Warnings, sum.Largest)
	b.WriteString("\n`oai-webhook-example-3.1.json` has one webhook and no operations; importing it says so and ends with exit code 1.\n")
	if err := os.WriteFile(corpusTable, []byte(b.String()), 0o644); err != nil {
		t.Fatal(err)
	}
}

// importCost is what one import takes.
type importCost struct {
	Millis    int64 // as a clock sees it
	CPUMillis int64 // of the whole process; what else the machine does shows less in it
	PeakKiB   int64
	Row       corpusRow
}

const aloneVariable = "OPENAPI_IMPORT_ALONE"

// importAlone imports a document in a process of its own: this test binary, which then runs TestImportAlone only.
func importAlone(t *testing.T, name string) importCost {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self, "-test.run", "^TestImportAlone$", "-test.v")
	cmd.Env = append(os.Environ(), aloneVariable+"="+name, "GOMAXPROCS=2")
	out, err := cmd.CombinedOutput()
	var cost importCost
	_, line, found := strings.Cut(string(out), "cost: ")
	line, _, _ = strings.Cut(line, "\n")
	if err != nil || !found || json.Unmarshal([]byte(line), &cost) != nil {
		t.Fatalf("%s: %v\n%s", name, err, out)
	}
	cost.CPUMillis = (cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()).Milliseconds()
	return cost
}

func TestImportAlone(t *testing.T) {
	name := os.Getenv(aloneVariable)
	if name == "" {
		t.Skip("runs in a process of its own, for importAlone")
	}
	if !filepath.IsAbs(name) {
		name = filepath.Join("..", "..", "shared", "specs", name)
	}
	start := time.Now()
	d, _ := importFile(t, name, Options{})
	if d == nil {
		t.Fatal("nothing could be read")
	}
	cost := importCost{Millis: time.Since(start).Milliseconds(), PeakKiB: peakKiB(), Row: newCorpusRow(d)}
	line, err := json.Marshal(cost)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Printf("cost: %s\n", line)
}

// peakKiB is the largest resident memory of this process so far; 0 where the system does not tell.
func peakKiB() int64 {
	data, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(data), "VmHWM:")
	fields := strings.Fields(rest)
	if len(fields) == 0 {
		return 0
	}
	n, _ := strconv.ParseInt(fields[0], 10, 64)
	return n
}

// TestAnchorsImportInTimeAndMemory leaves room for a machine that does other things as well; the table has the numbers.
func TestAnchorsImportInTimeAndMemory(t *testing.T) { // §16
	corpus(t)
	if raced {
		t.Skip("the race detector takes ten times the time and memory")
	}
	for _, name := range sortedKeys(anchors) {
		cost := importAlone(t, name)
		t.Logf("%s: %d ms, %d ms of processor time, %d MiB", name, cost.Millis, cost.CPUMillis, cost.PeakKiB>>10)
		if cost.CPUMillis > 5_000 || cost.PeakKiB > 170<<10 || cost.Row.Tools != anchors[name] {
			t.Errorf("%s: %+v, want 1.5 s and 150 MiB", name, cost)
		}
	}
}

// TestLargeGeneratedDocument imports 15 MB of JSON with 4,400 operations (§16).
func TestLargeGeneratedDocument(t *testing.T) {
	if raced {
		t.Skip("the race detector takes ten times the time and memory")
	}
	path := filepath.Join(t.TempDir(), "large.json")
	data := largeDocument(4400)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	cost := importAlone(t, path)
	t.Logf("%d bytes: %d ms, %d ms of processor time, %d MiB", len(data), cost.Millis, cost.CPUMillis, cost.PeakKiB>>10)
	if cost.Row.Tools != 4400 || cost.CPUMillis > 15_000 || cost.PeakKiB > 600<<10 {
		t.Errorf("%+v, want 4400 tools within 5 s and 600 MiB", cost)
	}
}

// largeDocument writes a document of many operations over a few hundred components, with texts, as large APIs have them.
func largeDocument(operations int) []byte {
	var b strings.Builder
	text := strings.Repeat("The value that the service keeps for this member, as described in the guide to resources. ", 3)
	b.WriteString(`{"openapi":"3.0.3","info":{"title":"Large","version":"1"},"servers":[{"url":"https://api.example.com"}],"paths":{`)
	for i := range operations {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `"/teams/{team}/kind%d/{id}":{"put":{"operationId":"updateKind%d","summary":"Update a kind %d","description":%q,"tags":["t%d"],"parameters":[{"name":"team","in":"path","required":true,"schema":{"type":"string"}},{"name":"id","in":"path","required":true,"schema":{"type":"integer","format":"int64"}}`,
			i, i, i, strings.Repeat(text, 3), i%40)
		for q := range 6 {
			fmt.Fprintf(&b, `,{"name":"option_%d","in":"query","description":%q,"schema":{"type":"string","enum":["a","b","c%d"]}}`, q, text, i)
		}
		fmt.Fprintf(&b, `],"requestBody":{"required":true,"content":{"application/json":{"schema":{"$ref":"#/components/schemas/S%d"}}}},"responses":{"200":{"description":"The new state.","content":{"application/json":{"schema":{"$ref":"#/components/schemas/S%d"}}}},"404":{"description":"Not there."}}}}`,
			i%400, (i+7)%400)
	}
	b.WriteString(`},"components":{"schemas":{`)
	for i := range 400 {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `"S%d":{"type":"object","description":%q,"required":["name"],"properties":{"name":{"type":"string","maxLength":80},"list":{"type":"array","items":{"type":"string"}}`, i, text)
		if i%4 != 3 { // three levels of components below each other, and each tenth holds itself
			fmt.Fprintf(&b, `,"next":{"$ref":"#/components/schemas/S%d"}`, i+1)
		}
		if i%10 == 0 {
			fmt.Fprintf(&b, `,"children":{"type":"array","items":{"$ref":"#/components/schemas/S%d"}}`, i)
		}
		for p := range 12 {
			fmt.Fprintf(&b, `,"member_%d":{"type":"integer","minimum":%d,"description":%q}`, p, p, text)
		}
		b.WriteString(`}}`)
	}
	b.WriteString(`}}}`)
	return []byte(b.String())
}

func BenchmarkImportLarge(b *testing.B) {
	data := largeDocument(4400)
	b.ReportAllocs()
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		if _, err := Import(b.Context(), Source{Data: data}, Options{}); err != nil {
			b.Fatal(err)
		}
	}
}
