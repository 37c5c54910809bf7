package pages

import (
	"cmp"
	"slices"

	"golang.org/x/text/collate"
	"golang.org/x/text/language"
)

// maxPicture is the largest file, as for the upload of the API.
const maxPicture = 5_242_880

// reasons are why a check refuses, as the contract names them.
var reasons = []string{
	"NO_FACE_FOUND", "FACE_MISMATCH", "DOCUMENT_EXPIRED", "DOCUMENT_UNREADABLE", "DOCUMENT_NOT_SUPPORTED",
	"DATA_MISMATCH", "UNDERAGE", "SUSPECTED_FRAUD", "DUPLICATE_USER", "HIGH_RISK",
}

// Outcomes that a tester of the sandbox chooses.
const (
	acceptOutcome = "ACCEPT"
	manualOutcome = "MANUAL"
	rejectOutcome = "REJECT-" // and the reason
)

// outcomes are all that can be chosen.
func outcomes() []string {
	all := []string{acceptOutcome, manualOutcome}
	for _, reason := range reasons {
		all = append(all, rejectOutcome+reason)
	}
	return all
}

// heading is the title of a step.
func (v *visit) heading(s step) string {
	switch s {
	case consentStep, documentStep, reviewStep:
		return v.say(string(s) + ".title")
	default:
		if key := "photo." + string(s) + ".title." + v.verification.Document.Type; v.has(key) {
			return v.say(key)
		}
		return v.say("photo." + string(s) + ".title")
	}
}

// name is what a step is called in the progress.
func (v *visit) name(s step) string {
	if key := "step." + string(s) + "." + v.verification.Document.Type; v.has(key) {
		return v.say(key)
	}
	return v.say("step." + string(s))
}

// reason is the key of the text that tells why a check refused. The reason of another time is told in general words.
func (v *visit) reason() string {
	if key := "reason." + v.verification.Reason; v.has(key) {
		return key
	}
	return "reason."
}

func (v *visit) photoLead(side Side) string {
	if side == Selfie {
		return v.say("photo.selfie.lead")
	}
	return v.say("photo.document.lead")
}

func (v *visit) photoPath(side Side) string { return v.link.path() + "/photo/" + string(side) }

func tips(side Side) []string {
	if side == Selfie {
		return []string{"face", "light", "alone"}
	}
	return []string{"corners", "sharp", "text"}
}

// facing is the camera to use: https://www.w3.org/TR/html-media-capture/.
func facing(side Side) string {
	if side == Selfie {
		return "user"
	}
	return "environment"
}

// country is a country's name by its ISO 3166-1 alpha-2 code: the catalogue's in English, and in other languages
// that of the Unicode Common Locale Data Repository, where it has one.
func (v *visit) country(code string) string {
	known, _ := v.pages.Catalog.Country(code)
	if v.tag != fallback {
		if region, err := language.ParseRegion(code); err == nil {
			return cmp.Or(v.catalogue.countries.Name(region), known.Name, code)
		}
	}
	return cmp.Or(known.Name, code)
}

type namedCountry struct{ code, name string }

// issuers are the countries that issue documents, as the user's language orders them.
func (v *visit) issuers() []namedCountry {
	var all []namedCountry
	for _, code := range v.pages.countries {
		all = append(all, namedCountry{code, v.country(code)})
	}
	order := collate.New(language.Make(v.tag))
	slices.SortFunc(all, func(a, b namedCountry) int {
		return cmp.Or(order.CompareString(a.name, b.name), cmp.Compare(a.code, b.code))
	})
	return all
}

// replaceLabel is what the button says once another picture was chosen; empty when there was none before.
func (v *visit) replaceLabel(side Side) string {
	if v.verification.done(step(side)) {
		return v.say("photo.replace")
	}
	return ""
}
