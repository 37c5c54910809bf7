package fault

import "fmt"

// Row is one line of the error table.
type Row struct {
	Code    Code
	Name    string // errorName on the wire; empty for P403 only
	Status  int    // HTTP status
	Message string // errorMessage on the wire, unless a place has a better one
	When    string // when it is sent
	Fix     string // what the partner's developer does about it
}

// Row returns the code's line of the table. It panics for a code that is not in the table: codes are
// constants of this package, never input.
func (c Code) Row() Row {
	for _, r := range table {
		if r.Code == c {
			return r
		}
	}
	panic(fmt.Sprintf("fault: no such code: %q", c))
}

// Rows returns the whole table, ordered by code.
func Rows() []Row { return append([]Row(nil), table...) }
