package iban_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"kontor/internal/iban"
)

// The registry's examples are numbers that exist or could, except for some whose makers forgot the national digits.
func TestNationalCheckDigitsOfRegistryExamples(t *testing.T) {
	t.Parallel()
	countries := 0
	for _, example := range examples {
		number := iban.IBAN(example)
		known, right := number.National()
		if !known {
			continue
		}
		countries++
		if !right {
			t.Errorf("%s: the national check digits are taken for wrong", example)
		}
		wrong := []byte(example[4:])
		last := len(wrong) - 1
		wrong[last] = '0' + (wrong[last]-'0'+1)%10
		other, err := iban.New(example[:2], string(wrong))
		if err != nil {
			t.Fatal(err)
		}
		if _, right := other.National(); right && number.Country() != "AL" && number.Country() != "PL" {
			t.Errorf("%s: the last digit can be wrong", other)
		}
	}
	if countries != 26 {
		t.Errorf("%d countries have national check digits, want 26", countries)
	}
}

func TestComposeRefuses(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		country, bank, account string
		want                   error
	}{
		{"PL", "10901015", "0000071219812874", iban.ErrNational}, // the bank's own digit is wrong
		{"NO", "8601", "000006", iban.ErrNational},               // no digit makes the sum divisible by 11
		{"ES", "21000418", "002000513322", iban.ErrLength},       // the check digits are not part of it
		{"FR", "2004101005", "0500013M026", nil},
		{"XX", "1", "2", iban.ErrCountry},
		{"LT", "10000", "1110100100A", iban.ErrStructure},
		{"LT", "10000", "1110100100-", iban.ErrCharacter},
	} {
		if got, err := iban.Compose(c.country, c.bank, c.account); !errors.Is(err, c.want) || (err == nil) != (got != "") {
			t.Errorf("%+v: got %q, %v", c, got, err)
		}
	}
}

func TestBIC(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{"KNTRLT20": "KNTRLT20XXX", " deutdeff500 ": "DEUTDEFF500", "1234DE00": "1234DE00XXX"} {
		b, err := iban.ParseBIC(text)
		if err != nil || b.Full() != want || b.Country() != want[4:6] || b.Test() != (want[7] == '0') {
			t.Errorf("%q: got %q, %v", text, b, err)
		}
	}
	for _, text := range []string{"", "KNTRLT2", "KNTRLT2012", "KNTR1T20", "KNTRLT20XXXX", "KNTR LT20"} {
		if b, err := iban.ParseBIC(text); !errors.Is(err, iban.ErrBIC) {
			t.Errorf("%q is taken for %q", text, b)
		}
	}
}

// judge is a library that is not ours, in another language.
const judge = `
const t = require("ibantools");
const numbers = JSON.parse(require("fs").readFileSync(0, "utf8"));
const sepa = Object.keys(t.countrySpecs).filter((c) => t.countrySpecs[c].IBANRegistry && t.isSEPACountry(c));
console.log(JSON.stringify({wrong: numbers.filter((n) => !t.isValidIBAN(n)), sepa}));
`

// What Compose makes is valid for a foreign library, which knows national check digits too, and both agree on
// which countries are in SEPA, except for those that joined since it was written and for the French territories
// that it lists by themselves.
func TestForeignLibraryTakesWhatIsComposed(t *testing.T) {
	t.Parallel()
	install := exec.Command("make", "--no-print-directory", "-C", "../..", "tools/node_modules/.package-lock.json")
	if out, err := install.CombinedOutput(); err != nil {
		t.Fatalf("npm packages of tools/package.json: %v\n%s", err, out)
	}
	var numbers []string
	for country, bank := range map[string]struct {
		code   string
		digits int
	}{
		"BA": {"129007", 8}, "BE": {"539", 7}, "CZ": {"0800", 14}, "DE": {"37040044", 10}, "EE": {"22", 13}, "ES": {"21000418", 10},
		"FI": {"123", 10}, "FR": {"2004101005", 11}, "HR": {"1001005", 9}, "HU": {"11773016", 15}, "IT": {"0542811101", 12},
		"LT": {"99999", 11}, "MC": {"1122200001", 11}, "ME": {"505", 13}, "MK": {"250", 10}, "NL": {"ABNA", 10}, "NO": {"8601", 6},
		"PL": {"10901014", 16}, "PT": {"00020123", 11}, "RS": {"260", 13}, "SI": {"56191", 8}, "SK": {"1200", 14}, "SM": {"0322509800", 12},
	} {
		r := rand.New(rand.NewPCG(1, uint64(country[0])<<8|uint64(country[1])))
		for range 200 {
			account := ""
			for range bank.digits {
				account += string(rune('0' + r.IntN(10)))
			}
			number, err := iban.Compose(country, bank.code, account)
			if errors.Is(err, iban.ErrNational) {
				continue
			}
			if err != nil {
				t.Fatalf("%s %s %s: %v", country, bank.code, account, err)
			}
			if again, err := iban.Parse(string(number)); err != nil || again != number {
				t.Errorf("%s is not read back: %v", number, err)
			}
			numbers = append(numbers, string(number))
		}
	}
	input, err := json.Marshal(numbers)
	if err != nil {
		t.Fatal(err)
	}
	node := exec.Command("node", "-e", judge)
	node.Dir, node.Stdin = "../../tools", strings.NewReader(string(input))
	out, err := node.Output()
	if err != nil {
		t.Fatal(err)
	}
	var verdict struct{ Wrong, SEPA []string }
	if err := json.Unmarshal(out, &verdict); err != nil {
		t.Fatal(err)
	}
	if len(numbers) < 4000 || len(verdict.Wrong) > 0 {
		t.Errorf("of %d numbers the library refuses %d: %.10q", len(numbers), len(verdict.Wrong), fmt.Sprint(verdict.Wrong))
	}
	joined := []string{"AL", "MD", "ME", "MK", "RS"}
	for _, example := range examples {
		country := example[:2]
		theirs := slices.Contains(verdict.SEPA, country) || slices.Contains(joined, country)
		if ours := iban.IBAN(example).SEPA(); ours != theirs {
			t.Errorf("%s in SEPA: ours says %t", country, ours)
		}
	}
}
