package mrz

import (
	"errors"
	"strings"
	"testing"
	"time"
)

// The specimens of ICAO Doc 9303, parts 4, 5 and 6 (Utopia).
const (
	specimenTD1 = "I<UTOD231458907<<<<<<<<<<<<<<<\n7408122F1204159UTO<<<<<<<<<<<6\nERIKSSON<<ANNA<MARIA<<<<<<<<<<"
	specimenTD2 = "I<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<\nD231458907UTO7408122F1204159<<<<<<<6"
	specimenTD3 = "P<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<<<<<<<<<\nL898902C36UTO7408122F1204159ZE184226B<<<<<10"
	// The same card with a number of more than nine characters (part 5, note j).
	specimenLong = "I<UTOD23145890<7349<<<<<<<<<<<\n7408122F1204159UTO<<<<<<<<<<<0\nERIKSSON<<ANNA<MARIA<<<<<<<<<<"
)

func TestSpecimens(t *testing.T) {
	t.Parallel()
	for _, specimen := range []struct {
		text, number, optional string
		format                 Format
	}{
		{specimenTD1, "D23145890", "", TD1},
		{specimenTD2, "D23145890", "", TD2},
		{specimenTD3, "L898902C3", "ZE184226B", TD3},
	} {
		t.Run(string(specimen.format), func(t *testing.T) {
			t.Parallel()
			for _, text := range []string{specimen.text, strings.ToLower(specimen.text), strings.ReplaceAll(specimen.text, "\n", " \r\n ")} {
				z, err := Parse(text)
				if err != nil {
					t.Fatal(err)
				}
				if z.Format != specimen.format || z.Number != specimen.number || z.Optional != specimen.optional || z.Issuer != "UTO" ||
					z.Holder != "UTO" || z.Surname != "ERIKSSON" || z.Given != "ANNA MARIA" || z.Cut || z.Sex != "F" ||
					z.Expiry.Format(time.DateOnly) != "2012-04-15" {
					t.Errorf("read %+v", z)
				}
				if born, ok := z.Birth(time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)); !ok || born != "1974-08-12" {
					t.Errorf("born %s", born)
				}
			}
		})
	}
}

func TestLongNumber(t *testing.T) {
	t.Parallel()
	lines := strings.Split(specimenLong, "\n")
	lines[1] = lines[1][:29] + string(checkDigit(lines[0][5:30]+lines[1][0:7]+lines[1][8:15]+lines[1][18:29]))
	z, err := Parse(strings.Join(lines, "\n"))
	if err != nil || z.Number != "D23145890734" || z.Optional != "" {
		t.Errorf("read %+v, %v", z, err)
	}
}

// Each character that a check digit covers is exchanged for another one: none may pass.
func TestEveryWrongCharacterIsFound(t *testing.T) {
	t.Parallel()
	covered := map[string][]int{ // from, to, on the line that has the digits
		specimenTD2: {37, 37 + 10, 37 + 13, 37 + 20, 37 + 21, 37 + 28},
		specimenTD3: {45, 45 + 10, 45 + 13, 45 + 20, 45 + 21, 45 + 44},
		specimenTD1: {5, 15, 31, 31 + 7, 31 + 8, 31 + 15},
	}
	for text, ranges := range covered {
		for r := 0; r < len(ranges); r += 2 {
			for i := ranges[r]; i < ranges[r+1]; i++ {
				wrong := []byte(text)
				wrong[i] = other(wrong[i])
				if z, err := Parse(string(wrong)); err == nil {
					t.Errorf("%s: with another character at %d it reads %+v", text, i, z)
				}
			}
		}
	}
}

// other is a character with another value modulo 10.
func other(c byte) byte {
	if c == '1' {
		return '2'
	}
	if checkDigit(string(c)) == '7' { // the value of 1
		return '2'
	}
	return '1'
}

func TestRefused(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"", "P<UTO", specimenTD3 + "<", strings.Replace(specimenTD3, "<", "«", 1), strings.Repeat("<", 88), strings.Repeat("0", 90),
		strings.Repeat(" ", maxText+1), strings.Replace(specimenTD3, "ERIKSSON", "<<<<<<<<", 1),
	} {
		if z, err := Parse(text); err == nil {
			t.Errorf("%q reads %+v", text, z)
		}
	}
	_, err := Parse(strings.Replace(specimenTD3, "1204159", "1204158", 1))
	if !errors.Is(err, errDigit) || !strings.Contains(err.Error(), "date of expiry") {
		t.Errorf("a wrong digit is told as %v", err)
	}
}

func FuzzParse(f *testing.F) {
	for _, text := range []string{specimenTD1, specimenTD2, specimenTD3, specimenLong, strings.Repeat("<", 72)} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		z, err := Parse(text)
		if err != nil {
			return
		}
		if z.Number == "" || z.Surname == "" || z.Expiry.IsZero() {
			t.Errorf("%q reads %+v", text, z)
		}
		if again, err := Parse(strings.ToLower(text)); err != nil || again != z {
			t.Errorf("%q reads %+v in small letters, %v", text, again, err)
		}
	})
}
