package openapi

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestWordsOfNamesAndTexts(t *testing.T) { // mcp.md F4
	for text, want := range map[string]string{
		"getOrderItems":             "get order item",
		"actions/re-run_workflow":   "action re run workflow",
		"HTTPServerID2":             "http server id2",
		"repos/list-branches":       "repo list branch",
		"What are the companies'":   "company",
		"status bus class analyses": "status bus class analyse",
		"Straße, ÉCOLES 注文":         "straße école 注文",
		"":                          "",
	} {
		if got := strings.Join(slices.Collect(indexWords(text)), " "); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

func TestSearchRanksByPlaceAndOrder(t *testing.T) { // mcp.md F1, F4
	x := NewIndex([]*Tool{
		{Name: "listOrders", Description: "Orders of a shop."},
		{Name: "getStock", Description: "Stock before orders arrive."},
		{Name: "refund", Title: "Refund an order", Tags: []string{"payments"}},
		{Name: "same_y", Description: "twin"},
		{Name: "same_x", Description: "twin"},
	})
	names := func(hits []Hit) string {
		var list []string
		for _, h := range hits {
			list = append(list, h.Tool.Name)
		}
		return strings.Join(list, " ")
	}
	for _, c := range []struct {
		query string
		limit int
		want  string
	}{
		{"orders", 8, "listOrders refund getStock"},
		{"Which order?", 8, "listOrders refund getStock"},
		{"payment", 8, "refund"},
		{"twins", 8, "same_y same_x"},
		{"twins", 1, "same_y"},
		{"orders", 2, "listOrders refund"},
		{"the of and", 8, ""},
		{"nothing like it", 8, ""},
		{"orders", 0, ""},
	} {
		if got := names(x.Search(c.query, c.limit, nil)); got != c.want {
			t.Errorf("%q: %s, want %s", c.query, got, c.want)
		}
	}
	if got := names(x.Search("orders", 8, func(name string) bool { return name != "refund" })); got != "listOrders getStock" {
		t.Errorf("what is not allowed is found: %s", got)
	}
	if NewIndex(nil).Search("x", 8, nil) != nil {
		t.Error("an empty index finds something")
	}
}

// The questions were written from the operations' names before anything was searched.
func TestQuestionsFindTheirTools(t *testing.T) { // mcp.md F9
	dir, _ := corpus(t)
	d, err := importFile(t, filepath.Join(dir, "github-api-3.0.json"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile("testdata/questions.tsv")
	if err != nil {
		t.Fatal(err)
	}
	x := d.Index()
	found, asked := 0, 0
	for line := range strings.Lines(string(data)) {
		question, want, ok := strings.Cut(strings.TrimSpace(line), "\t")
		if !ok || d.Tool(want) == nil {
			t.Fatalf("no tool %q", want)
		}
		asked++
		var got []string
		for _, h := range x.Search(question, 8, nil) {
			got = append(got, h.Tool.Name)
		}
		if slices.Contains(got, want) {
			found++
		} else {
			t.Logf("%q: %s is not in %v", question, want, got)
		}
		if again := x.Search(question, 8, nil); len(again) == 0 || again[0].Tool.Name != got[0] {
			t.Errorf("%q: another answer to the same question", question)
		}
	}
	t.Logf("%d of %d questions", found, asked)
	if asked != 50 || found < 45 {
		t.Errorf("%d of %d questions find their tool in the first 8, want 45 of 50", found, asked)
	}
}

func BenchmarkSearch(b *testing.B) {
	tools := make([]*Tool, 5000)
	for i := range tools {
		tools[i] = &Tool{
			Name: fmt.Sprintf("list_%d_items_of_customer", i), Title: "List the items of a customer", Tags: []string{"customers"},
			Path: "/customers/{id}/items", Description: strings.Repeat("Returns the items which a customer has bought, by page. ", 4),
		}
	}
	x := NewIndex(tools)
	b.ReportAllocs()
	for b.Loop() {
		if len(x.Search("list the items that a customer bought last year", 8, nil)) != 8 {
			b.Fatal("not found")
		}
	}
}
