// Package strictyaml decodes the configuration file into Go structs: unknown and repeated keys, wrong types and bad
// values are faults with file, line and column, and all of them are found in one run (operations.md §1.1, §1.2).
//
//	bytes ─ yaml/v4 nodes ─ limits ─ decode by struct tags ─▶ value, Faults (in file order), Positions by path
//	                                  └─ duplicates, ${VAR}, env: and file: references, defaults
//	struct tags + field comments ─▶ JSON Schema, manual
//
// Each room exports its own configuration structs with these tags; cmd/drawbridge nests them:
//
//	yaml:"name"        the key; every exported field has one, or `yaml:"-"`; an embedded struct's fields are the outer's
//	yaml:",sequence"   for a struct that may also be written as a list: the field that takes it
//	default:"30s"      written as in the file; taken when the key is absent or null
//	enum:"a,b,c"       closed set of texts, for a text or for every text of a list
//	required:"true"    the key must be there and not empty
//	unit:"size"        int64 in bytes: 0, 512, 64KiB, 10MiB, 1GiB
//	zero:"off"         a time.Duration that may be 0
//	min:"1" max:"64"   bounds of a number, a duration or a size; of a text's or list's length
//	format:"url"       form of a text, or of every text of a list: see format.go for the set
//	secret:"strong"    a secret.Reference whose value must not be short or well known
//	available:"false"  part of the contract, not built yet: using it is a fault that says so (empty values and the
//	                   default do nothing and pass)
//	unavailable:"a,b"  values of an enum that are part of the contract and not built yet
//
// Two fields of one name: the outer one hides the embedded one, as in Go.
//
// Scalars: string, bool (true or false only), int, int64, float64, time.Duration (30s, 5m, 7d), and any type with
// UnmarshalText (one that also has tagged fields takes a scalar or a mapping; with a sequence field a list, too).
// secret.Reference takes env:NAME or file:PATH; one that UnmarshalText of a struct fills in is resolved, too. A struct
// with UnmarshalText and without tagged fields gets lists and mappings as JSON text. Fields of type any and json.RawMessage take what JSON can say. Pointers
// stay nil while their key is absent. Field comments become descriptions in the JSON Schema and in CONFIGURATION.md.
package strictyaml
