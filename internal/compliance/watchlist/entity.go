// Package watchlist reads lists of persons whom a platform must look at: sanctions, politically exposed persons.
// It knows the published forms of OpenSanctions, of the European Union, of the United Nations and of OFAC, and
// brings all of them into one.
package watchlist

// The kinds of entries.
const (
	Sanction  = "SANCTION"
	Political = "PEP"    // politically exposed, or close to someone who is
	Listed    = "LISTED" // on the list for another reason
)

// Entity is a person of a list. Companies, ships and aircraft are left out: users are persons.
type Entity struct {
	ID         string   `json:"i"`           // the list's own
	Kind       string   `json:"k"`           // Sanction, Political, Listed
	Names      []string `json:"n"`           // all spellings in all scripts; the first is the main one
	Weak       []string `json:"w,omitempty"` // spellings that the list itself calls weak, or of low quality
	Births     []string `json:"b,omitempty"` // as in ISO 8601-2: YYYY, YYYY-MM, YYYY-MM-DD, YYYY~ (about), YYYY/YYYY (between)
	Countries  []string `json:"c,omitempty"` // ISO 3166-1 alpha-2
	Programmes []string `json:"p,omitempty"` // why the person is listed, in the list's own words
}
