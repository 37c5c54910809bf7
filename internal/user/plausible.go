package user

import (
	"strings"
	"time"

	"golang.org/x/text/language"
)

// firstBirth is the earliest day on which a user can have been born.
const firstBirth = "1900-01-01"

// implausible tells what of a person cannot be true: a birth date that is to come or of nobody who lives, and codes that
// no country has. Members that are empty are not known. Countries that are no more are where people were born.
func (p Person) implausible(today time.Time) (problems []string) {
	for _, member := range []struct{ name, code string }{
		{"citizenship", p.Citizenship}, {"nationality", p.Nationality}, {"birthCountry", p.BirthCountry},
	} {
		if member.code == "" {
			continue
		}
		if region, err := language.ParseRegion(strings.ToUpper(member.code)); err != nil || !region.IsCountry() {
			problems = append(problems, member.name+" must be the code of a country that exists (ISO 3166-1 alpha-2)")
		}
	}
	if p.BirthDate != "" && (p.BirthDate < firstBirth || p.BirthDate > today.UTC().Format(time.DateOnly)) {
		problems = append(problems, "birthDate must not be before "+firstBirth+" or in the future")
	}
	return problems
}
