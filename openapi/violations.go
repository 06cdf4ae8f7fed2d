package openapi

import (
	"fmt"
	"slices"
	"sort"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	failed "github.com/santhosh-tekuri/jsonschema/v6/kind"
)

// validator is a compiled schema and the names of its variants.
type validator struct {
	schema *jsonschema.Schema
	names  map[string]string
}

// toolAddress is where the compiler finds a tool's schema. It checks what lies anywhere else against the metaschema first,
// which is half of its work; ours is written from nodes whose types we know.
const toolAddress = "https://json-schema.org/drawbridge/tool"

func compileSchema(flat flatSchema) (v *validator) {
	defer func() {
		if recover() != nil { // a keyword that the metaschema would have refused
			v = nil
		}
	}()
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft2020)
	c.AssertFormat()
	c.UseLoader(noLoader{})
	if err := c.AddResource(toolAddress, flat.doc); err != nil {
		return nil
	}
	s, err := c.Compile(toolAddress)
	if err != nil {
		return nil
	}
	return &validator{s, flat.names}
}

// noLoader refuses every reference out of a schema.
type noLoader struct{}

func (noLoader) Load(url string) (any, error) { return nil, fmt.Errorf("%s: not loaded", url) }

// problems turns the validator's tree of causes into at most five lines.
func (p *plan) problems(v *validator, values map[string]any) []string {
	err := v.schema.Validate(values)
	if err == nil {
		return nil
	}
	verr, ok := err.(*jsonschema.ValidationError)
	if !ok {
		return []string{"the arguments do not fit the tool's schema"}
	}
	var out []string
	p.collect(v, verr, values, &out)
	sort.Strings(out)
	out = unique(out)
	if len(out) > 5 {
		out = out[:5]
	}
	return out
}

func (p *plan) collect(v *validator, e *jsonschema.ValidationError, values map[string]any, out *[]string) {
	if only := onlyVariant(e); only != nil {
		p.collect(v, only, values, out)
		return
	}
	if text := p.union(v, e); text != "" {
		*out = append(*out, text)
		return
	}
	if len(e.Causes) > 0 {
		for _, c := range e.Causes {
			p.collect(v, c, values, out)
		}
		return
	}
	place := valuePath(e.InstanceLocation)
	name := ""
	if len(e.InstanceLocation) > 0 {
		name = e.InstanceLocation[0]
	}
	text := p.kindText(name, e.ErrorKind)
	if k, ok := e.ErrorKind.(*failed.Type); ok {
		text = fmt.Sprintf("must be %s, got %s", typeText(dropNull(k.Want)), p.shown(name, valueAt(values, e.InstanceLocation)))
	}
	if place == "" {
		*out = append(*out, "the body: "+text)
		return
	}
	*out = append(*out, fmt.Sprintf("argument %q: %s", place, text))
}

// onlyVariant is why a value does not fit the one member of a union that it is meant for: the only one of its type, else
// the only one whose fixed values it has, such as that of a discriminator; nil where that is not clear.
func onlyVariant(e *jsonschema.ValidationError) *jsonschema.ValidationError {
	if _, ok := e.ErrorKind.(*failed.AnyOf); !ok {
		return nil
	}
	var meant []*jsonschema.ValidationError
	var other *jsonschema.ValidationError // of another type, which is not null
	others := 0
	for _, c := range e.Causes {
		first := firstCause(c)
		k, ok := first.ErrorKind.(*failed.Type)
		switch {
		case !ok || len(first.InstanceLocation) != len(e.InstanceLocation):
			meant = append(meant, c)
		case len(dropNull(k.Want)) > 0:
			other, others = c, others+1
		}
	}
	if len(meant) == 0 && others == 1 {
		return other
	}
	if len(meant) > 1 {
		meant = slices.DeleteFunc(meant, func(c *jsonschema.ValidationError) bool { return isOtherKind(c, len(e.InstanceLocation)) })
	}
	if len(meant) == 1 {
		return meant[0]
	}
	return nil
}

// isOtherKind says whether a member of the value is not the one value that a variant fixes.
func isOtherKind(e *jsonschema.ValidationError, depth int) bool {
	if len(e.InstanceLocation) == depth+1 {
		switch k := e.ErrorKind.(type) {
		case *failed.Const:
			return true
		case *failed.Enum:
			return len(k.Want) == 1
		}
	}
	return slices.ContainsFunc(e.Causes, func(c *jsonschema.ValidationError) bool { return isOtherKind(c, depth) })
}

// union says of a failed anyOf what the variants need: card (needs number), bank (needs iban).
func (p *plan) union(v *validator, e *jsonschema.ValidationError) string {
	if _, ok := e.ErrorKind.(*failed.AnyOf); !ok {
		return ""
	}
	place := valuePath(e.InstanceLocation)
	var variants, wants []string
	for i, c := range e.Causes {
		if k, ok := firstCause(c).ErrorKind.(*failed.Type); ok && len(firstCause(c).InstanceLocation) == len(e.InstanceLocation) {
			wants = append(wants, k.Want...)
			continue
		}
		variants = append(variants, v.variant(c, i))
	}
	if place == "" {
		place = "body"
	}
	if len(variants) == 0 && len(wants) > 0 {
		return fmt.Sprintf("argument %q: must be %s", place, typeText(dropNull(wants)))
	}
	return fmt.Sprintf("argument %q: fits none of the variants: %s", place, strings.Join(variants[:min(len(variants), 8)], ", "))
}

// variant is one member of a union: its name, and what the value lacks for it.
func (v *validator) variant(c *jsonschema.ValidationError, index int) string {
	text := fmt.Sprintf("variant %d", index+1)
	if ref, ok := c.ErrorKind.(*failed.Reference); ok {
		if name := v.names[ref.URL[strings.LastIndexByte(ref.URL, '/')+1:]]; name != "" {
			text, _ = visible(shorten(name, 60))
		}
	}
	if missing := missingIn(c, len(c.InstanceLocation)); len(missing) > 0 {
		text += " (needs " + strings.Join(missing[:min(len(missing), 8)], ", ") + ")"
	}
	return text
}

// firstCause follows an error down to where it begins to branch.
func firstCause(e *jsonschema.ValidationError) *jsonschema.ValidationError {
	for len(e.Causes) == 1 {
		e = e.Causes[0]
	}
	return e
}

// missingIn finds the required members that a value lacks, at the value itself.
func missingIn(e *jsonschema.ValidationError, depth int) []string {
	if k, ok := e.ErrorKind.(*failed.Required); ok && len(e.InstanceLocation) == depth {
		return k.Missing
	}
	for _, c := range e.Causes {
		if missing := missingIn(c, depth); len(missing) > 0 {
			return missing
		}
	}
	return nil
}
