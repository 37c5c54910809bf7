package oas

import (
	"encoding/json"

	"kontor/internal/contract"
)

// UserForms is the body that creates a user: exactly one of its two generations is set.
type UserForms struct {
	Newer *NewUser
	Older *OlderNewUser
}

// UnmarshalJSON reads the generation that the members tell, as x-second-form-when of the contract has it. A
// member that is null does not count.
func (f *UserForms) UnmarshalJSON(raw []byte) error {
	var told struct {
		DocumentNumber any `json:"documentNumber"`
		DocumentType   any `json:"documentType"`
		Address        any `json:"address"`
		Street         any `json:"street"`
		BirthDate      any `json:"birthDate"`
	}
	if err := contract.Decode(raw, &told); err != nil {
		return err
	}
	*f = UserForms{}
	hasOlder := told.DocumentNumber != nil || told.DocumentType != nil || told.Address != nil
	if hasOlder && told.Street == nil && told.BirthDate == nil {
		f.Older = new(OlderNewUser)
		return contract.Decode(raw, f.Older)
	}
	f.Newer = new(NewUser)
	return contract.Decode(raw, f.Newer)
}

// MarshalJSON writes the generation that is set.
func (f UserForms) MarshalJSON() ([]byte, error) {
	if f.Older != nil {
		return json.Marshal(f.Older)
	}
	return json.Marshal(f.Newer)
}
