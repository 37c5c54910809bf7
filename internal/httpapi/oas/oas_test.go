package oas

import (
	"encoding/json"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"kontor/internal/contract"
	"kontor/internal/money"
)

func testContract(t *testing.T) *contract.Contract {
	t.Helper()
	c, err := contract.Load(func(slug string) (money.Currency, bool) { return money.Currency{Code: slug, Scale: 2}, true })
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestUserFormsAgreeWithTheContract tries every mix of the members that tell the generations apart: what was
// checked as one generation must not be decoded as the other.
func TestUserFormsAgreeWithTheContract(t *testing.T) {
	t.Parallel()
	o := testContract(t).Operation("createUser")
	members := []string{"documentNumber", "documentType", "address", "street", "birthDate"}
	mixes := 1
	for range members {
		mixes *= 3
	}
	for mix := range mixes {
		body := map[string]any{}
		for i, rest := 0, mix; i < len(members); i, rest = i+1, rest/3 {
			switch rest % 3 {
			case 1:
				body[members[i]] = nil
			case 2:
				body[members[i]] = "x"
			}
		}
		raw, err := json.Marshal(body)
		if err != nil {
			t.Fatal(err)
		}
		var forms UserForms
		if err := contract.Decode(raw, &forms); err != nil {
			t.Fatal(err)
		}
		checkedAsNewer := slices.Contains(o.CheckBody(raw), "nationality must be provided")
		if (forms.Newer != nil) != checkedAsNewer || (forms.Older != nil) == checkedAsNewer {
			t.Errorf("%s: checked as newer: %v, decoded as %+v", raw, checkedAsNewer, forms)
		}
	}
}

func TestUserFormsKeepTheirMembers(t *testing.T) {
	t.Parallel()
	for _, body := range []string{
		`{"externalUserId":"u1","email":"test.user@example.com","phone":"37060000000","firstName":"اختبار","lastName":"User","address":"Test Street 1A",` +
			`"city":"Vilnius","postCode":"LT-01100","country":"LT","citizenship":"LT","documentType":"PASSPORT","documentNumber":"TEST123456"}`,
		`{"externalUserId":"u1","email":"test.user@example.com","phone":"37060000000","firstName":"Test","lastName":"User","street":"Test Street",` +
			`"number":"1A","city":"Vilnius","postCode":"LT-01100","country":"LT","citizenship":"LT","nationality":"LT","birthCountry":"LT",` +
			`"birthDate":"1990-01-31","hasAcceptedP100Tc":true}`,
	} {
		var forms UserForms
		if err := contract.Decode([]byte(body), &forms); err != nil {
			t.Fatal(err)
		}
		if got, err := json.Marshal(forms); err != nil || string(got) != body {
			t.Errorf("got  %s, %v\nwant %s", got, err, body)
		}
	}
	var forms UserForms
	if contract.Decode([]byte(`{"street":5}`), &forms) == nil {
		t.Error("a number passed for a street")
	}
}

// TestAnswersAreWrittenAsTheContractHasThem: members in its order, exact numbers, null where it says null.
func TestAnswersAreWrittenAsTheContractHasThem(t *testing.T) {
	t.Parallel()
	source := "user_123456789"
	for _, test := range []struct {
		answer any
		want   string
	}{
		{
			Transfer{Id: "1", SourceExternalUserId: &source, Status: "SUCCESSFUL", Amount: "0.00000001", Currency: "BTC", CreatedAt: "2025-08-05T10:33:54.730Z"},
			`{"id":"1","sourceEmail":null,"destinationEmail":null,"sourceExternalUserId":"user_123456789","destinationExternalUserId":null,` +
				`"status":"SUCCESSFUL","amount":0.00000001,"currency":"BTC","createdAt":"2025-08-05T10:33:54.730Z"}`,
		},
		{
			UserBalances{UserId: "1", FiatBalances: []FiatBalance{{Id: "2", Amount: "0.00", Name: "eur", Rate: "1", Status: "ACTIVE", HeldAmount: "0.00"}}, CryptoBalances: []CryptoBalance{}},
			`{"userId":"1","poaRequired":false,"fiatBalances":[{"id":"2","amount":"0.00","name":"eur","rate":1,"iban":null,"status":"ACTIVE",` +
				`"heldAmount":"0.00"}],"cryptoBalances":[]}`,
		},
		{Error{ErrorCode: "P403", ErrorMessage: "x."}, `{"errorCode":"P403","errorMessage":"x."}`},
	} {
		if got, err := json.Marshal(test.answer); err != nil || string(got) != test.want {
			t.Errorf("got  %s, %v\nwant %s", got, err, test.want)
		}
	}
}

func TestGeneratedCodeHasNoFloats(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("oas.gen.go")
	if err != nil {
		t.Fatal(err)
	}
	for i, line := range strings.Split(string(text), "\n") {
		if regexp.MustCompile(`\bfloat(32|64)\b`).MatchString(line) {
			t.Errorf("oas.gen.go:%d: %s", i+1, strings.TrimSpace(line))
		}
	}
}
