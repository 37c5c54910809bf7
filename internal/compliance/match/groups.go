package match

import (
	_ "embed"
	"strings"
	"sync"
)

//go:embed names.tsv
var oneNames string

// groups are given names by the line of names.tsv that they stand on. A name on two lines is of the first.
var groups = sync.OnceValue(func() map[string]int16 {
	all := map[string]int16{}
	group := int16(0)
	for line := range strings.Lines(oneNames) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		group++
		for _, name := range strings.Fields(line) {
			if all[name] == 0 {
				all[name] = group
			}
		}
	}
	return all
})
