package tokens

import "testing"

func TestTheFamilyIsTheLongestPrefixOfTheUpstreamModelThenOfTheName(t *testing.T) { // TK-13…TK-18
	tests := []struct {
		upstream, name string
		family         string
		enc            Encoding
		primer, tools  int
	}{
		{"gpt-5-nano", "fast", "gpt-5", O200k, 2, 84},
		{"gpt-6", "", "gpt-6", O200k, 2, 84},
		{"gpt-4o-mini", "", "gpt-4o", O200k, 3, 0},
		{"gpt-4.1", "", "gpt-4.1", O200k, 3, 0},
		{"chatgpt-4o-latest", "", "chatgpt-4o", O200k, 3, 0},
		{"o1-preview", "", "o1", O200k, 3, 0},
		{"o4-mini", "", "o4-mini", O200k, 3, 0},
		{"gpt-4-turbo", "", "gpt-4", CL100k, 3, 0},
		{"gpt-35-turbo", "", "gpt-35", CL100k, 3, 0},
		{"gpt-oss-120b", "", "gpt-oss", O200k, 3, 0},
		{"text-embedding-3-small", "", "text-embedding-", CL100k, 0, 0},
		{"prod-east", "gpt-4o", "gpt-4o", O200k, 3, 0},
		{"gpt-4", "gpt-5", "gpt-4", CL100k, 3, 0},
		{"openai/gpt-4o", "", "gpt-4o", O200k, 3, 0},
		{"ft:GPT-4o-mini:acme", "", "gpt-4o", O200k, 3, 0},
		{"claude-opus-5", "smart", "", None, 0, 0},
		{"", "", "", None, 0, 0},
	}
	for _, tt := range tests {
		f := ForModel(tt.upstream, tt.name)
		if f.Name != tt.family || f.Encoding != tt.enc || f.Primer != tt.primer || f.ToolsExtra != tt.tools {
			t.Errorf("ForModel(%q, %q) = %+v", tt.upstream, tt.name, f)
		}
		if f.Exact() == (f.BytesPerToken > 0) {
			t.Errorf("ForModel(%q, %q) is both exact and estimated, or neither", tt.upstream, tt.name)
		}
	}
}

func TestFamiliesCountWithTheirOwnNumbers(t *testing.T) {
	gpt5, embedding := ForModel("gpt-5", ""), ForModel("text-embedding-3-large", "")
	if gpt5.PerMessage != 3 || gpt5.PerTurn != 2 || gpt5.Function != 7 { // TK-13
		t.Errorf("gpt-5 = %+v", gpt5)
	}
	if old := ForModel("gpt-3.5-turbo", ""); old.Function != 10 || old.PerTurn != 0 { // TK-15, TK-20
		t.Errorf("gpt-3.5 = %+v", old)
	}
	if !embedding.InputsOnly || embedding.PerMessage != 0 { // TK-17
		t.Errorf("embedding = %+v", embedding)
	}
	if n := ForModel("claude-x", "").Count("0123456789abcdef"); n != 5 { // TK-18
		t.Errorf("16 bytes of an unknown vocabulary = %d, want 5", n)
	}
	if n := gpt5.Count("hello world"); n != 2 {
		t.Errorf("hello world = %d, want 2", n)
	}
}

func TestAnOverrideNamesAFamilyExactly(t *testing.T) {
	if f, ok := FamilyNamed("gpt-4o"); !ok || f.Encoding != O200k {
		t.Errorf("gpt-4o = %+v, %v", f, ok)
	}
	for _, name := range []string{"gpt-4o-mini", "", "llama"} {
		if _, ok := FamilyNamed(name); ok {
			t.Errorf("FamilyNamed(%q) succeeded", name)
		}
	}
}
