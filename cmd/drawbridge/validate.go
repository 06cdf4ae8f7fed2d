package main

// validator checks what the shape of the file cannot say (C9–C14). It changes nothing.
type validator struct {
	cfg              *Config
	pos              *Positions
	errors, warnings []Fault
}

func (v *validator) validate() {}
