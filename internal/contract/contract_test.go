package contract

import (
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"kontor/internal/fault"
	"kontor/internal/money"
)

// testScale knows the currencies of the contract.
func testScale(slug string) (money.Currency, bool) {
	scale, ok := map[string]int{"eur": 2, "usdc": 6, "usdt": 6, "btc": 8, "eth": 8, "ltc": 8, "doge": 8, "pol": 8}[slug]
	return money.Currency{Code: slug, Scale: scale}, ok
}

var loaded = sync.OnceValues(func() (*Contract, error) { return Load(testScale) })

func testContract(t testing.TB) *Contract {
	t.Helper()
	c, err := loaded()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func check(t *testing.T, o *Operation, body string, want ...string) {
	t.Helper()
	if got := o.CheckBody([]byte(body)); !slices.Equal(got, want) {
		t.Errorf("%s\n got %q\nwant %q", body, got, want)
	}
}

// newer and older are complete bodies of createUser; each test changes them.
func newer(changes map[string]any) string {
	return changed(`{"externalUserId":"u1","email":"test.user@example.com","phone":"+37060000000","firstName":"Test","lastName":"User",
		"street":"Test Street","number":"1A","city":"Vilnius","postCode":"LT-01100","country":"LT","citizenship":"LT","nationality":"LT",
		"birthCountry":"LT","birthDate":"1990-01-31","hasAcceptedP100Tc":true}`, changes)
}

func older(changes map[string]any) string {
	return changed(`{"externalUserId":"u1","email":"test.user@example.com","phone":"37060000000","firstName":"Test","lastName":"User",
		"address":"Test Street 1A","city":"Vilnius","postCode":"LT-01100","country":"LT","citizenship":"LT","documentType":"PASSPORT",
		"documentNumber":"TEST123456"}`, changes)
}

// none removes a member.
type none struct{}

func changed(body string, changes map[string]any) string {
	var m map[string]any
	if err := json.Unmarshal([]byte(body), &m); err != nil {
		panic(err)
	}
	for name, v := range changes {
		m[name] = v
		if v == (none{}) {
			delete(m, name)
		}
	}
	out, err := json.Marshal(m)
	if err != nil {
		panic(err)
	}
	return string(out)
}

func TestTransferSentences(t *testing.T) {
	t.Parallel()
	o := testContract(t).Operation("createTransfer")
	const (
		currencies = "currency must be one of the following values: eur, btc, eth, ltc, doge, pol, usdc, usdt"
		decimal    = `amount must be a decimal number, such as "10.50"`
		positive   = "amount must be greater than 0"
	)
	amount := func(text, currency string) string {
		return fmt.Sprintf(`{"sourceExternalUserId":"u1","amount":%s,"currency":%q}`, text, currency)
	}
	check(t, o, `{}`, "amount must be provided", "currency must be provided")
	check(t, o, `{"amount":null,"currency":null}`, "amount must be provided", "currency must be provided")
	check(t, o, `{"amount":"10.50","currency":"eur"}`)
	check(t, o, `{"amount":"10.50","currency":"eur","reference":null,"metadata":null,"somethingElse":{"a":[1,null]}}`)
	check(t, o, `{"currency":"xyz","amount":"0.123456789"}`, "amount can have at most 8 decimal places", currencies)
	check(t, o, `{"currency":7,"amount":"1"}`, "currency must be a string")
	check(t, o, `{"amount":true,"currency":"eur","sourceExternalUserId":5}`, "sourceExternalUserId must be a string", decimal)

	for _, ok := range [][2]string{
		{`"1"`, "eur"},
		{`"0.01"`, "EUR"},
		{`1`, "Eur"},
		{`1e2`, "eur"},
		{`5e-7`, "btc"},
		{`"0.000001"`, "usdc"},
		{`0.00000001`, "BTC"},
		{`"92233720368547758.07"`, "eur"},
		{`1.50e1`, "eur"},
	} {
		check(t, o, amount(ok[0], ok[1]))
	}
	for _, bad := range [][3]string{
		{`"0"`, "eur", positive},
		{`0`, "eur", positive},
		{`-0`, "eur", positive},
		{`-1`, "eur", positive},
		{`"0.00"`, "eur", positive},
		{`0e999999999`, "eur", positive},
		{`"10.500"`, "eur", "amount can have at most 2 decimal places"},
		{`10.505`, "eur", "amount can have at most 2 decimal places"},
		{`1e-7`, "usdt", "amount can have at most 6 decimal places"},
		{`1e-999999999999`, "eth", "amount can have at most 8 decimal places"},
		{`1e999999999999`, "eth", "amount is too large"},
		{`"999999999999999999"`, "btc", "amount is too large"},
		{`"1e2"`, "eur", decimal},
		{`"-1"`, "eur", decimal},
		{`"+1"`, "eur", decimal},
		{`" 1"`, "eur", decimal},
		{`""`, "eur", decimal},
		{`".5"`, "eur", decimal},
		{`"01"`, "eur", decimal},
		{`"1,5"`, "eur", decimal},
		{`"١"`, "eur", decimal},
		{`[]`, "eur", decimal},
		{`{}`, "eur", decimal},
	} {
		check(t, o, amount(bad[0], bad[1]), bad[2])
	}
}

func TestReferenceAndMetadata(t *testing.T) {
	t.Parallel()
	o := testContract(t).Operation("createTransfer")
	with := func(members string) string { return `{"amount":"1","currency":"eur",` + members + `}` }

	check(t, o, with(`"reference":"فاتورة 42 🧾","metadata":{"ключ":"","b":"x"}`))
	check(t, o, with(`"reference":"`+strings.Repeat("ß", 140)+`"`))
	check(t, o, with(`"reference":"`+strings.Repeat("ß", 141)+`"`), "reference can have at most 140 characters")
	check(t, o, with(`"reference":""`), "reference must not be empty")
	check(t, o, with(`"reference":"  "`), "reference must not be blank")
	check(t, o, with(`"reference":"a\nb"`), "reference must not contain control characters")
	check(t, o, with(`"reference":"a\u2028b"`), "reference must not contain control characters")
	check(t, o, with(`"metadata":"x"`), "metadata must be an object")
	check(t, o, with(`"metadata":{"colour":5,"a":null,"b":"`+strings.Repeat("x", 256)+`"}`),
		"metadata.a must be a string", "metadata.b can have at most 255 characters", "metadata.colour must be a string")
	check(t, o, with(`"metadata":{"`+strings.Repeat("k", 41)+`":"x"}`), "metadata names can have at most 40 characters")
	check(t, o, with(`"metadata":{"":"x"}`), "metadata names must not be empty")
	for range 20 { // always the same one of two
		check(t, o, with(`"metadata":{"":"x","a\tb":"x"}`), "metadata names must not be empty")
	}
	check(t, o, with(`"metadata":{"a\tb":"x"}`), "metadata names must not contain control characters")
	// A name that is told is cut, and shows nothing that could break a log or a terminal.
	check(t, o, with(`"metadata":{"\u001b`+strings.Repeat("k", 60)+`":1}`),
		"metadata names must not contain control characters", "metadata.\uFFFD"+strings.Repeat("k", 39)+"… must be a string")

	var pairs []string
	for i := range 11 {
		pairs = append(pairs, fmt.Sprintf(`"k%d":"v"`, i))
	}
	check(t, o, with(`"metadata":{`+strings.Join(pairs[:10], ",")+`}`))
	check(t, o, with(`"metadata":{`+strings.Join(pairs, ",")+`}`), "metadata can have at most 10 entries")
	// One sentence, however much is wrong inside.
	check(t, o, with(`"metadata":{"\n":5,`+strings.ReplaceAll(strings.Join(pairs, ","), `"v"`, "7")+`}`), "metadata can have at most 10 entries")
}

func TestExternalUserID(t *testing.T) {
	t.Parallel()
	o := testContract(t).Operation("createTransfer")
	const id = "destinationExternalUserId "
	for value, want := range map[string]string{
		"u1": "", "مستخدم-١": "", "a b": "", "...": "", "Balances": "", "user@example.com": "", strings.Repeat("ü", 128): "",
		"":                       id + "must not be empty",
		strings.Repeat("ü", 129): id + "can have at most 128 characters",
		" a":                     id + "must not begin or end with a space",
		"a\u00a0":                id + "must not begin or end with a space",
		"a\nb":                   id + "must not contain control characters",
		"a\u0085b":               id + "must not contain control characters",
		".":                      id + `must not be "." or ".."`,
		"..":                     id + `must not be "." or ".."`,
		"a/b":                    id + `must not contain any of the characters / ? # % \`,
		"a?b":                    id + `must not contain any of the characters / ? # % \`,
		"a#b":                    id + `must not contain any of the characters / ? # % \`,
		"a%b":                    id + `must not contain any of the characters / ? # % \`,
		`a\b`:                    id + `must not contain any of the characters / ? # % \`,
		"kyc-files":              id + "must not be a reserved word: balances, transactions, verification, kyc-files, poa-files, suspend, unsuspend",
	} {
		body := changed(`{"amount":"1","currency":"eur"}`, map[string]any{"destinationExternalUserId": value})
		if want == "" {
			check(t, o, body)
		} else {
			check(t, o, body, want)
		}
	}
}

func TestCreateUserSentences(t *testing.T) {
	t.Parallel()
	o := testContract(t).Operation("createUser")
	check(t, o, newer(nil))
	check(t, o, newer(map[string]any{"firstName": "اختبار", "lastName": "测试 🙂", "street": "Ulica Próbna", "userIdentificationNumber": nil}))
	// Not accepting the terms has a code of its own, so it is no failure here.
	check(t, o, newer(map[string]any{"hasAcceptedP100Tc": none{}}))
	check(t, o, newer(map[string]any{"hasAcceptedP100Tc": false}))

	for name, tests := range map[string]map[string]any{
		"email must be an email address": {
			"email": []string{"", "a", "a@b", "a b@example.com", "@example.com", "a@-x.com", "a@x..com", "a..b@example.com", "a@b@example.com", "<a@example.com>"},
		},
		"phone must be digits with the country code, such as +37060000000": {
			"phone": []string{"", "+", "abc", "+370 600", "++37060000000", "1234", "1234567890123456", "٣٧٠٦٠٠"},
		},
		"birthDate must be a date (YYYY-MM-DD)":                              {"birthDate": []string{"", "1990-02-30", "31.01.1990", "1990-1-31", "1990-01-31T00:00:00Z"}},
		"country must be a country code of two letters (ISO 3166-1 alpha-2)": {"country": []string{"", "L", "LTU", "ÄÖ", "L1"}},
		"firstName must not be empty":                                        {"firstName": []string{""}},
		"firstName must not contain control characters":                      {"firstName": []string{"a\x00", "a\r\nb", "\u007f"}},
		"firstName can have at most 100 characters":                          {"firstName": []string{strings.Repeat("я", 101)}},
		"hasAcceptedP100Tc must be true or false":                            {"hasAcceptedP100Tc": []string{"true"}},
		"externalUserId must not be \".\" or \"..\"":                         {"externalUserId": []string{".."}},
		"email can have at most 254 characters":                              {"email": []string{strings.Repeat("a", 60) + "@" + strings.Repeat("b.", 100) + "com"}},
	} {
		for member, values := range tests {
			for _, v := range values.([]string) {
				want := name
				if strings.ContainsRune(v, 0) {
					want = member + " must not contain the NUL character"
				}
				check(t, o, newer(map[string]any{member: v}), want)
			}
		}
	}
	for _, email := range []string{"a@b.co", "test+tag@sub.example.com", "δοκιμή@παράδειγμα.ελ", "o'test@example.com"} {
		check(t, o, newer(map[string]any{"email": email}))
	}
	check(t, o, newer(map[string]any{"email": 5, "externalUserId": nil, "lastName": none{}, "country": "de", "birthDate": "x"}),
		"externalUserId must be provided", "email must be a string", "lastName must be provided", "birthDate must be a date (YYYY-MM-DD)")
}

func TestCreateUserGenerations(t *testing.T) {
	t.Parallel()
	o := testContract(t).Operation("createUser")
	check(t, o, older(nil))
	check(t, o, older(map[string]any{"documentType": "passport", "documentNumber": ""}),
		"documentType must be one of the following values: PASSPORT, ID_CARD, RESIDENCE_PERMIT", "documentNumber must not be empty")
	// Failures come in the order of the form that is meant: here `address` stands before `city`.
	check(t, o, `{"documentNumber":"T1"}`, "externalUserId must be provided", "email must be provided", "phone must be provided",
		"firstName must be provided", "lastName must be provided", "address must be provided", "city must be provided", "postCode must be provided",
		"country must be provided", "citizenship must be provided", "documentType must be provided")

	// street or birthDate makes the body a newer one, whatever else it has.
	missing := []string{
		"number must be provided", "nationality must be provided", "birthCountry must be provided", "birthDate must be provided",
	}
	check(t, o, older(map[string]any{"street": "Test Street"}), missing...)
	// null is the same as absent when the generation is told.
	check(t, o, older(map[string]any{"street": nil, "birthDate": nil}))
	check(t, o, newer(map[string]any{"documentNumber": nil, "address": nil}))
	check(t, o, newer(map[string]any{"documentNumber": "T1", "documentType": "anything"}))
}

func TestUnreadableBodies(t *testing.T) {
	t.Parallel()
	o := testContract(t).Operation("createTransfer")
	deep := func(n int) string {
		return `{"a":` + strings.Repeat("[", n-1) + strings.Repeat("]", n-1) + `,"amount":"1","currency":"eur"}`
	}
	many := func(n int) string { return `{"amount":"1","currency":"eur","a":[0` + strings.Repeat(",0", n-5) + `]}` }

	for body, want := range map[string]string{
		"":                                   "request body must be provided",
		" \r\n\t":                            "request body must be provided",
		"null":                               "request body must be a JSON object",
		"[]":                                 "request body must be a JSON object",
		`"x"`:                                "request body must be a JSON object",
		"5":                                  "request body must be a JSON object",
		`{"amount":"1","currency":"eur"`:     "request body must be complete JSON: it ends too early",
		`{"amount":"1","currency":"eur"} {}`: "request body must be one JSON object with nothing behind it",
		`{"amount":"1","currency":"eur"}}`:   "request body must be one JSON object with nothing behind it",
		`{"amount":1.,"currency":"eur"}`:     "request body must be valid JSON: it cannot be read from byte 12 on",
		`{amount:"1"}`:                       "request body must be valid JSON: it cannot be read from byte 1 on",
		`{"amount":NaN}`:                     "request body must be valid JSON: it cannot be read from byte 10 on",
		`{"amount":01}`:                      "request body must be valid JSON: it cannot be read from byte 11 on",
		"{\"amount\":\"1\xff\"}":             "request body must be valid UTF-8",
		`{"reference":"\ud800"}`:             "request body must not contain half of a surrogate pair",
		`{"\udc00":"x"}`:                     "request body must not contain half of a surrogate pair",
		`{"amount":"1","amount":"2"}`:        "amount must not be given twice",
		`{"amount":"1","\u0061mount":"2"}`:   "amount must not be given twice",
		`{"metadata":{"a":"1","a":"2"}}`:     "metadata.a must not be given twice",
		`{"x":[1,{"y":"\u0000"}]}`:           "x[1].y must not contain the NUL character",
		`{"a\u0000":1}`:                      "a\uFFFD must not have a name with the NUL character",
		`{"amount":` + strings.Repeat("9", 257) + `}`: "amount must not be a number of more than 256 characters",
		deep(33):    "request body must not be nested deeper than 32 levels",
		many(10001): "request body must not have more than 10000 values",
		"\uFEFF{}":  "request body must be valid JSON: it cannot be read from byte 0 on",
	} {
		check(t, o, body, want)
	}
	check(t, o, deep(32))
	check(t, o, many(10000))
	check(t, o, " {\"amount\" : \"1\", \"currency\":\"eur\"}\r\n")
	check(t, o, `{"amount":"1","currency":"eur","reference":"\ud83d\ude42"}`)
}

func TestOptionalAndAbsentBodies(t *testing.T) {
	t.Parallel()
	c := testContract(t)
	activate := c.Operation("sandboxActivateUser")
	check(t, activate, "")
	check(t, activate, "{}")
	check(t, activate, `{"documentNumber":null}`)
	check(t, activate, `{"documentNumber":5}`, "documentNumber must be a string")
	check(t, activate, `[]`, "request body must be a JSON object")
	check(t, c.Operation("getTransfer"), "not read at all")

	deposit := c.Operation("sandboxSepaDeposit")
	check(t, deposit, `{"amount":1.5,"senderName":"Test User","senderIban":"DE89370400440532013000"}`)
	check(t, deposit, `{"amount":1.505,"iban":""}`,
		"iban must not be empty", "amount can have at most 2 decimal places", "senderName must be provided", "senderIban must be provided")

	webhook := c.Operation("sandboxSetWebhook")
	check(t, webhook, `{"baseUrl":null}`)
	check(t, webhook, `{"baseUrl":"http://localhost:3000/hooks"}`)
	check(t, webhook, `{"baseUrl":"https://[::1]:3000"}`)
	check(t, webhook, `{}`, "baseUrl must be provided")
	for _, bad := range []string{"", "localhost:3000", "ftp://example.com", "http://", "https://test@example.com", "https://example.com/?a=b", "https://example.com/#", "http://a b.com"} {
		check(t, webhook, changed(`{}`, map[string]any{"baseUrl": bad}), "baseUrl must be an http or https address, such as https://example.com/hooks")
	}
}

func TestParameters(t *testing.T) {
	t.Parallel()
	c := testContract(t)
	params := func(o *Operation, value string) []string {
		return o.CheckParams(map[string]string{"externalUserId": value, "transferId": value}, url.Values{"unknown": {"x"}})
	}
	for value, want := range map[string]string{
		"u1":      "",
		"a b":     "",
		"a/b":     `externalUserId must not contain any of the characters / ? # % \`,
		"":        "externalUserId must not be empty",
		"a\xff":   "externalUserId must be valid UTF-8",
		"a\x00":   "externalUserId must not contain the NUL character",
		"suspend": "externalUserId must not be a reserved word: balances, transactions, verification, kyc-files, poa-files, suspend, unsuspend",
	} {
		got := params(c.Operation("getUserBalances"), value)
		if want == "" && got != nil || want != "" && !slices.Equal(got, []string{want}) {
			t.Errorf("%q: got %q, want %q", value, got, want)
		}
	}
	if got := c.Operation("getUser").CheckParams(nil, nil); !slices.Equal(got, []string{"externalUserId must be provided"}) {
		t.Errorf("absent: got %q", got)
	}
	// What is no id of a transfer is simply not found, which is P417 and no matter of form.
	if got := params(c.Operation("getTransfer"), "not-a-uuid"); got != nil {
		t.Errorf("transferId: got %q", got)
	}
}

func TestMoments(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"2025-08-05":                          "2025-08-05T00:00:00Z",
		"2025-08-05T10:33:54Z":                "2025-08-05T10:33:54Z",
		"2025-08-05T10:33:54.730Z":            "2025-08-05T10:33:54.73Z",
		"2025-08-05T10:33:54.730+02:00":       "2025-08-05T08:33:54.73Z",
		"2025-08-05T10:33:54.730 02:00":       "2025-08-05T08:33:54.73Z", // the plus sign of a form
		"2025-08-05T00:00:00-11:30":           "2025-08-05T11:30:00Z",
		"2025-08-05T10:33:54.123456Z":         "2025-08-05T10:33:54.123456Z",
		"2025-08-05T10:33:54.123456001Z":      "2025-08-05T10:33:54.123457Z",
		"2024-02-29":                          "2024-02-29T00:00:00Z",
		"0001-01-01":                          "1970-01-01T00:00:00Z",
		"1970-01-01T00:00:00+14:00":           "1970-01-01T00:00:00Z",
		"9999-12-31T23:59:59.999999999-14:00": "10000-01-01T14:00:00Z",
		"":                                    "",
		"now":                                 "",
		"2025-08-05T10:33:54":                 "",
		"2025-08-05 10:33:54":                 "",
		"2025-08-05T10:33Z":                   "",
		"2025-08-05T25:00:00Z":                "",
		"2025-02-29":                          "",
		"2025-08-05Z":                         "",
		"20250805":                            "",
		"12025-08-05":                         "",
		" 2025-08-05":                         "",
		"02:00":                               "",
		" 02:00":                              "",
	} {
		got, err := Moment(text)
		if want == "" && err == nil || want != "" && (err != nil || got.Format(time.RFC3339Nano) != want) {
			t.Errorf("%q: got %s, %v; want %q", text, got.Format(time.RFC3339Nano), err, want)
		}
	}
}

func TestSentencesMakeOneMessage(t *testing.T) {
	t.Parallel()
	sentences := testContract(t).Operation("createTransfer").CheckBody([]byte(`{"currency":"xyz","amount":"0.123456789"}`))
	const want = "amount can have at most 8 decimal places. currency must be one of the following values: eur, btc, eth, ltc, doge, pol, usdc, usdt."
	if got := fault.Invalid(sentences...).Message; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
