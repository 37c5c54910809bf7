package watchlist

import (
	_ "embed"

	"github.com/go-json-experiment/json"
)

//go:embed sandbox.json
var sandbox []byte

// SandboxDate is when the list of invented persons was last changed.
const SandboxDate = "2026-11-25"

// Sandbox is a list of invented persons, with names that nobody has: a partner's developer can see with them
// what a hit does. docs/screening.md shows them.
func Sandbox() []Entity {
	var all []Entity
	if err := json.Unmarshal(sandbox, &all); err != nil {
		panic("watchlist: the embedded list: " + err.Error())
	}
	return all
}
