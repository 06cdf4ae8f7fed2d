package strictyaml

import (
	"errors"
	"math"
	"reflect"
	"regexp"
	"strconv"
	"time"

	yaml "go.yaml.in/yaml/v4"
)

var (
	sizeText  = regexp.MustCompile(`^([0-9]+)(KiB|MiB|GiB)?$`)
	dayText   = regexp.MustCompile(`^([0-9]+)d`)
	durations = regexp.MustCompile(`^([0-9]+(\.[0-9]+)?(ms|h|m|s))*$`)
)

// quantity decodes a duration or a size.
func (d *decoder) quantity(n *yaml.Node, path string, v reflect.Value, f field) {
	s, ok := d.expanded(n, path)
	if !ok {
		return
	}
	parse := ParseSize
	if v.Type() == durationType {
		parse = func(s string) (int64, error) {
			t, err := ParseDuration(s)
			if err == nil && t == 0 && !f.zero {
				err = errDuration
			}
			return int64(t), err
		}
	}
	i, err := parse(s)
	if err != nil {
		d.fault(n, path, "%s", err)
		return
	}
	v.SetInt(i)
	if low, err := parse(f.min); f.min != "" && err == nil && i < low && i != 0 {
		d.fault(n, path, "must be at least %s", f.min)
	}
	if high, err := parse(f.max); f.max != "" && err == nil && i > high {
		d.fault(n, path, "must be at most %s", f.max)
	}
}

var (
	errDuration = errors.New("must be a duration such as 30s or 5m")
	errSize     = errors.New("must be a size such as 64KiB")
)

// ParseDuration reads 300ms, 30s, 5m, 24h, 1h30m, 7d; a day is 24 hours.
func ParseDuration(s string) (time.Duration, error) {
	rest, days := s, time.Duration(0)
	if m := dayText.FindStringSubmatch(s); m != nil {
		n, err := strconv.Atoi(m[1])
		if err != nil || n > 100_000 {
			return 0, errDuration
		}
		days, rest = time.Duration(n)*24*time.Hour, s[len(m[0]):]
	}
	if rest == "" && s != "" {
		return days, nil
	}
	if s == "0" {
		return 0, nil
	}
	if rest == "" || !durations.MatchString(rest) {
		return 0, errDuration
	}
	t, err := time.ParseDuration(rest)
	if err != nil || t > math.MaxInt64-days {
		return 0, errDuration
	}
	return days + t, nil
}

// ParseSize reads 0, 512, 64KiB, 10MiB, 1GiB into bytes.
func ParseSize(s string) (int64, error) {
	m := sizeText.FindStringSubmatch(s)
	if m == nil {
		return 0, errSize
	}
	n, err := strconv.ParseInt(m[1], 10, 64)
	shift := map[string]uint{"": 0, "KiB": 10, "MiB": 20, "GiB": 30}[m[2]]
	if err != nil || n > math.MaxInt64>>shift {
		return 0, errSize
	}
	return n << shift, nil
}
