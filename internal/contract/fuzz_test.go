package contract

import (
	"strings"
	"testing"
	"unicode/utf8"
)

// FuzzCheckBody holds for any bytes: no panic, and every sentence can be shown.
func FuzzCheckBody(f *testing.F) {
	for _, seed := range []string{
		"", "null", "{}", `{"amount":"10.50","currency":"eur"}`, `{"amount":1e999999999,"currency":"btc","metadata":{"a":1}}`,
		`{"amount":-0.0e-99999999999999999999,"currency":null}`, `{"documentNumber":"x","address":[[]]}`, `{"a":{"a":{"a":1}},"a":2}`,
		"{\"\\u0000\":\"\\ud83d\"}", "{\"externalUserId\":\"\x80\"}", newer(nil), older(nil), `{"baseUrl":"http://[::1%25]:x"}`,
	} {
		f.Add([]byte(seed))
	}
	c := testContract(f)
	f.Fuzz(func(t *testing.T, raw []byte) {
		before := string(raw)
		for _, o := range c.Operations() {
			for _, s := range o.CheckBody(raw) {
				if s == "" || strings.HasSuffix(s, ".") || !utf8.ValidString(s) || strings.ContainsFunc(s, isControl) || len(s) > 1000 {
					t.Errorf("%s: sentence %q", o.ID, s)
				}
			}
		}
		for _, w := range c.Webhooks() {
			_ = w.Check(raw)
		}
		if string(raw) != before {
			t.Error("the body was changed")
		}
	})
}

// FuzzCheckParams is the same for parts of a path.
func FuzzCheckParams(f *testing.F) {
	for _, seed := range []string{"", "u1", "..", "a\x00", "\xff", "balances", "a/b"} {
		f.Add(seed)
	}
	o := testContract(f).Operation("getUserBalances")
	f.Fuzz(func(t *testing.T, id string) {
		sentences := o.CheckParams(map[string]string{"externalUserId": id}, nil)
		if len(sentences) == 0 && (id == "" || utf8.RuneCountInString(id) > 128 || strings.ContainsAny(id, "/?#%\\\x00\n")) {
			t.Errorf("%q was taken", id)
		}
	})
}

func BenchmarkCheckBody(b *testing.B) {
	c := testContract(b)
	for name, body := range map[string]string{
		"transfer":        `{"sourceExternalUserId":"user_123456789","destinationExternalUserId":"user_987654321","amount":"10.50","currency":"eur"}`,
		"transferRefused": `{"sourceExternalUserId":"user_123456789","amount":"10.505","currency":"xyz"}`,
	} {
		b.Run(name, func(b *testing.B) {
			o, raw := c.Operation("createTransfer"), []byte(body)
			b.ReportAllocs()
			for b.Loop() {
				o.CheckBody(raw)
			}
		})
	}
}

func BenchmarkLoad(b *testing.B) {
	for b.Loop() {
		if _, err := Load(testScale); err != nil {
			b.Fatal(err)
		}
	}
}
