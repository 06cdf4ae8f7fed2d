// Package strictyaml decodes the configuration file into Go structs: unknown and repeated keys, wrong types and bad
// values are faults with file, line and column, and all of them are found in one run (operations.md §1.1, §1.2).
//
//	bytes ─ yaml/v4 nodes ─ limits, duplicates ─ decode by struct tags ─▶ value, Faults (in file order), positions by path
//
// Each room exports its own configuration structs with these tags; cmd/drawbridge nests them:
//
//	yaml:"name"        the key; every exported field has one, or `yaml:"-"`
//	yaml:",sequence"   for a struct that may also be written as a list: the field that takes it
//	default:"30s"      written as in the file; taken when the key is absent
//	enum:"a,b,c"       closed set of texts
//	required:"true"    the key must be there and not empty
//	unit:"size"        int64 in bytes: 0, 512, 64KiB, 10MiB, 1GiB
//	zero:"off"         a time.Duration that may be 0
//	available:"false"  part of the contract, not built yet: using it is a fault that says so
//
// Scalars: string, bool (true or false only), int, int64, float64, time.Duration (30s, 5m, 7d), and any type with
// UnmarshalText (one that also has tagged fields takes a scalar or a mapping). secret.Reference takes env:NAME or
// file:PATH. Field comments become descriptions in the JSON Schema and in CONFIGURATION.md.
package strictyaml
