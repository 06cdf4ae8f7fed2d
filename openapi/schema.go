package openapi

import "strings"

// types is a set of JSON types.
type types uint8

const (
	tNull types = 1 << iota
	tBool
	tInteger
	tNumber
	tString
	tArray
	tObject
)

const tAny types = 0 // no type given

// typeNames is in the order in which several types are written.
var typeNames = [...]struct {
	t    types
	name string
}{{tObject, "object"}, {tArray, "array"}, {tString, "string"}, {tInteger, "integer"}, {tNumber, "number"}, {tBool, "boolean"}, {tNull, "null"}}

func (t types) names() []string {
	var names []string
	for _, n := range typeNames {
		if t&n.t != 0 {
			names = append(names, n.name)
		}
	}
	return names
}

func (t types) has(other types) bool { return t&other != 0 }

// single says whether exactly one type but null is in the set.
func (t types) single() bool {
	t &^= tNull
	return t != 0 && t&(t-1) == 0
}

// schema is a repaired JSON Schema as we read it: a graph whose references are pointers, cycles included. It is shared
// by all tools of a document, and immutable once the reader's queue is empty.
type schema struct {
	name    string // of the component, for texts
	types   types
	never   bool // the schema `false`
	cut     bool // a reference that could not be followed
	title   string
	desc    string
	format  string
	pattern string
	enum    []string // JSON texts
	def     string   // JSON text; "" is none
	example string   // JSON text

	// Bounds keep their digits; "" is none.
	min, max, above, below, multipleOf                     string
	minLen, maxLen, minItems, maxItems, minProps, maxProps string
	unique                                                 bool

	props    []property
	required []string
	addl     *schema // schema of other properties; nil: not said
	closed   bool    // additionalProperties: false
	open     bool    // additionalProperties: true
	items    *schema
	prefix   []*schema

	allOf, anyOf, oneOf []*schema
	selector            *selector
	kinds               []*schema // of a discriminator without a union: the schemas that extend this one

	// Only the validator looks at these (S6).
	not, ifs, then, elses, contains, propNames *schema
	otherProps, otherItems                     *schema // unevaluatedProperties, unevaluatedItems
	minContains, maxContains                   string
	patternProps                               []property
	dependent                                  []dependency

	readOnly, writeOnly bool
	encoding            string // contentEncoding
	media               string // contentMediaType
	ext                 *node  // x-drawbridge
}

type property struct {
	name   string
	schema *schema
}

// selector is a discriminator: which property tells the variants apart, and what it is for each.
type selector struct {
	property string
	mapping  []mapped
	open     bool // other values stand for a default
}

// mapped is one value of a discriminator and the name of the component that it chooses.
type mapped struct{ value, target string }

// dependency is dependentRequired or dependentSchemas for one property.
type dependency struct {
	property string
	required []string
	schema   *schema
}

// anything is the schema that says nothing.
func anything() *schema { return &schema{} }

func (s *schema) prop(name string) *schema {
	for i := range s.props {
		if s.props[i].name == name {
			return s.props[i].schema
		}
	}
	return nil
}

func (s *schema) requires(name string) bool {
	for _, r := range s.required {
		if r == name {
			return true
		}
	}
	return false
}

// isFile says whether a value of the schema is bytes that do not travel as JSON (A10).
func (s *schema) isFile() bool {
	if s.types&^tNull == tString && s.format == "binary" {
		return true
	}
	return s.infer()&^tNull == tString && s.media != "" && s.encoding == "" && !strings.HasPrefix(s.media, "text/") && !isJSONType(s.media)
}

// infer gives a type to a schema that has none but whose keywords tell (P15, S9).
func (s *schema) infer() types {
	if s.types&^tNull != 0 {
		return s.types
	}
	t := s.types
	switch {
	case len(s.props) > 0 || s.addl != nil || s.closed || s.minProps != "" || s.maxProps != "" || len(s.patternProps) > 0:
		t |= tObject
	case s.items != nil || len(s.prefix) > 0 || s.minItems != "" || s.maxItems != "":
		t |= tArray
	case len(s.enum) > 0:
		for _, e := range s.enum {
			t |= literalType(e)
		}
	case s.pattern != "" || s.minLen != "" || s.maxLen != "" || stringFormat(s.format) || s.media != "" || s.encoding != "":
		t |= tString
	case s.format == "int32" || s.format == "int64":
		t |= tInteger
	case s.min != "" || s.max != "" || s.above != "" || s.below != "" || s.multipleOf != "" || s.format == "float" || s.format == "double":
		t |= tNumber
	}
	return t
}

func stringFormat(format string) bool {
	switch format {
	case "date-time", "date", "time", "email", "uri", "uuid", "ipv4", "ipv6", "byte", "binary", "password", "hostname":
		return true
	}
	return false
}

// literalType is the type of a JSON text.
func literalType(raw string) types {
	if raw == "" {
		return tAny
	}
	switch raw[0] {
	case '"':
		return tString
	case '{':
		return tObject
	case '[':
		return tArray
	case 't', 'f':
		return tBool
	case 'n':
		return tNull
	}
	if strings.ContainsAny(raw, ".eE") {
		return tNumber
	}
	return tInteger
}
