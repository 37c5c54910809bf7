package iban

import "strings"

// national is where a country's numbers carry check digits of their own, and how they come about. Only schemes
// that hold for every bank of the country are here; some countries, Germany among them, leave them to each bank.
type national struct {
	// free are the positions in the BBAN that the account's number decides, and which therefore are no part of it
	// when an IBAN is composed. The other check digits belong to the bank's number.
	free []int
	// fill sets the check digits in a BBAN and reports whether there are any: some numbers have none and are never
	// given.
	fill func(bban []byte) bool
}

var nationals = map[string]national{
	"AL": {nil, func(b []byte) bool { return weighted(b[:7], b[7:8], 10, 9, 7, 3, 1) }},
	"BA": pairAtTheEnd(14),
	"BE": {[]int{10, 11}, belgian},
	"CZ": {[]int{9, 19}, czech},
	"EE": {[]int{15}, func(b []byte) bool { return weighted(b[2:15], b[15:16], 10, 7, 1, 3) }},
	"ES": {[]int{8, 9}, spanish},
	"FI": {[]int{13}, func(b []byte) bool { return luhn(b[:13], b[13:]) }},
	"FR": {[]int{21, 22}, french},
	"HR": {[]int{16}, func(b []byte) bool { return iso7064(b[:6], b[6:7]) && iso7064(b[7:16], b[16:17]) }},
	"HU": {[]int{23}, hungarian},
	"IT": {[]int{0}, italian},
	"MC": {[]int{21, 22}, french},
	"ME": pairAtTheEnd(16),
	"MK": pairAtTheEnd(13),
	"MR": {[]int{21, 22}, french},
	"NO": {[]int{10}, func(b []byte) bool { return weighted(b[:10], b[10:], 11, 5, 4, 3, 2, 7, 6) }},
	"PL": {nil, func(b []byte) bool { return weighted(b[:7], b[7:8], 10, 3, 9, 7, 1) }},
	"PT": pairAtTheEnd(19),
	"RS": pairAtTheEnd(16),
	"SI": pairAtTheEnd(13),
	"SK": {[]int{9, 19}, czech},
	"SM": {[]int{0}, italian},
	"ST": pairAtTheEnd(19),
	"TL": pairAtTheEnd(17),
	"TN": {[]int{18, 19}, func(b []byte) bool { return pair(b[18:], 97-mod97(mod97(0, string(b[:18])), "00")) }},
	"XK": pairAtTheEnd(14),
}

// checkSize is how many characters of a composed BBAN the check digits take.
func (n national) checkSize() int { return len(n.free) }

// National tells whether the country's numbers carry check digits of their own, and whether this one's are
// right. A number with wrong ones has almost certainly been mistyped in two places; Parse takes it, because ISO
// 13616 leaves it to the country.
func (i IBAN) National() (known, right bool) {
	n, known := nationals[i.Country()]
	if !known {
		return false, false
	}
	bban := []byte(i[bbanStart:])
	return true, n.fill(bban) && string(bban) == string(i[bbanStart:])
}

// Compose makes an IBAN for an account at a bank, in a country with or without check digits of its own: they are
// computed. bank is the bank's number as far as it stands ahead of the account's, with branch and the check
// digits that belong to it, without the others; account is the rest.
//
// Errors: those of New; ErrNational when the bank's own check digits are wrong, or when the country gives no
// number to such an account, as happens to one in eleven in some.
func Compose(country, bank, account string) (IBAN, error) {
	code, err := electronic(country)
	if err != nil {
		return "", err
	}
	rest, err := electronic(bank + account)
	if err != nil {
		return "", err
	}
	n, known := nationals[code]
	if !known {
		return New(code, rest)
	}
	if len(rest)+n.checkSize() != len(structures[code]) {
		return "", ErrLength
	}
	bban := []byte(rest)
	for _, at := range n.free {
		bban = append(bban[:at], append([]byte{placeholder(structures[code][at])}, bban[at:]...)...)
	}
	if !fits(string(bban), structures[code]) {
		return "", ErrStructure
	}
	given := strings.Clone(string(bban))
	if !n.fill(bban) {
		return "", ErrNational
	}
	for at := range bban {
		if bban[at] != given[at] && !n.isFree(at) {
			return "", ErrNational
		}
	}
	made, err := New(code, string(bban))
	if err != nil {
		return "", err
	}
	if _, right := made.National(); !right {
		return "", ErrNational
	}
	return made, nil
}

func (n national) isFree(at int) bool {
	for _, free := range n.free {
		if at == free {
			return true
		}
	}
	return false
}

func placeholder(class byte) byte {
	if class == 'a' {
		return 'A'
	}
	return '0'
}

// weighted sets the digit that makes the weighted sum, its own weight being one, divisible by the modulus. The
// weights are repeated. Under 11 the digit can be ten, which is none.
func weighted(digits, check []byte, modulus int, weights ...int) bool {
	sum := 0
	for i, d := range digits {
		sum += int(d-'0') * weights[i%len(weights)]
	}
	digit := (modulus - sum%modulus) % modulus
	check[0] = '0' + byte(digit%10)
	return digit < 10
}

// pairAtTheEnd is ISO/IEC 7064, MOD 97-10, over all of the BBAN; the pair stands at the given position.
func pairAtTheEnd(at int) national {
	return national{[]int{at, at + 1}, func(b []byte) bool {
		return pair(b[at:], 98-mod97(mod97(0, string(b[:at])), "00"))
	}}
}

// pair writes two digits.
func pair(to []byte, value int) bool {
	to[0], to[1] = '0'+byte(value/10), '0'+byte(value%10)
	return true
}

// belgian: the remainder of the rest by 97, and 97 instead of 0.
func belgian(b []byte) bool {
	remainder := mod97(0, string(b[:10]))
	if remainder == 0 {
		remainder = 97
	}
	return pair(b[10:], remainder)
}

// czech, and Slovak: prefix and number end with a digit each that makes a sum of weights divisible by 11.
func czech(b []byte) bool {
	return weighted(b[4:9], b[9:10], 11, 10, 5, 8, 4, 2) && weighted(b[10:19], b[19:20], 11, 6, 3, 7, 9, 10, 5, 8, 4, 2)
}

// spanish: a digit for bank and branch and one for the account; the digit ten is written 1.
func spanish(b []byte) bool {
	for at, sum := range []int{weigh(b[:8], 4, 8, 5, 10, 9, 7, 3, 6), weigh(b[10:20], 1, 2, 4, 8, 5, 10, 9, 7, 3, 6)} {
		digit := (11 - sum%11) % 11
		if digit == 10 {
			digit = 1
		}
		b[8+at] = '0' + byte(digit)
	}
	return true
}

func weigh(digits []byte, weights ...int) int {
	sum := 0
	for i, d := range digits {
		sum += int(d-'0') * weights[i]
	}
	return sum
}

// french is the clé RIB, also of Monaco and Mauritania: letters count as digits in a way of their own, and the
// whole is divisible by 97.
func french(b []byte) bool {
	const values = "12345678912345678923456789" // of A to Z
	remainder := 0
	for _, c := range b[:21] {
		if isLetter(c) {
			c = values[c-'A']
		}
		remainder = (remainder*10 + int(c-'0')) % 97
	}
	return pair(b[21:], 97-remainder*100%97)
}

// iso7064 is ISO/IEC 7064, MOD 11,10.
func iso7064(digits, check []byte) bool {
	n := 10
	for _, d := range digits {
		if n = (n + int(d-'0')) % 10; n == 0 {
			n = 10
		}
		n = n * 2 % 11
	}
	check[0] = '0' + byte((11-n)%10)
	return true
}

// hungarian: a digit for bank and branch, and one for the account, which has 16 or 8 characters of which the
// others are zeros.
func hungarian(b []byte) bool {
	weighted(b[:7], b[7:8], 10, 9, 7, 3, 1)
	if string(b[16:]) == "00000000" {
		return weighted(b[8:15], b[15:16], 10, 9, 7, 3, 1)
	}
	return weighted(b[8:23], b[23:24], 10, 9, 7, 3, 1)
}

// luhn is the digit of ISO/IEC 7812, also known as mod 10.
func luhn(digits, check []byte) bool {
	sum := 0
	for i := range digits {
		d := int(digits[len(digits)-1-i] - '0')
		if i%2 == 0 {
			d *= 2
		}
		sum += d/10 + d%10
	}
	check[0] = '0' + byte((10-sum%10)%10)
	return true
}

// italian is the CIN, also of San Marino: a letter. Characters at odd places, counted from one, have values of
// their own.
func italian(b []byte) bool {
	odd := [26]int{1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23}
	sum := 0
	for i, c := range b[1:] {
		value := int(c - '0')
		if isLetter(c) {
			value = int(c - 'A')
		}
		if i%2 == 0 {
			value = odd[value]
		}
		sum += value
	}
	b[0] = 'A' + byte(sum%26)
	return true
}
