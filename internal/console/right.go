package console

import "slices"

// Right is what a route takes.
type Right string

// The rights.
const (
	Read          Right = "read"           // users and queues, without documents
	ReadDocuments Right = "read documents" // each look is in the audit log
	ReadAudit     Right = "read the audit log"
	ReadTreasury  Right = "read the treasury" // and the reconciliation with the bank
	Decide        Right = "decide"            // cases, proofs of address and money on suspense
	Freeze        Right = "freeze"            // users, and lift it
	Manage        Right = "manage"            // officers
)

// rights are those of the roles.
var rights = map[string][]Right{
	Admin:      {Read, ReadDocuments, ReadAudit, ReadTreasury, Decide, Freeze, Manage},
	Compliance: {Read, ReadDocuments, ReadAudit, ReadTreasury, Decide, Freeze},
	Support:    {Read},
}

// May tells whether an officer has a right.
func (a Account) May(r Right) bool { return slices.Contains(rights[a.Role], r) }
