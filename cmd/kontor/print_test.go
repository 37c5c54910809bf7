package main

import (
	"bytes"
	"testing"
)

// Names come from partners and banks: what they contain moves nothing on an operator's screen.
func TestTablesAreNotSteeredByWhatTheyShow(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	err := printTable(&out, []string{"NAME", "STATE"}, []string{"<b>Test</b>\x1b[2J\tUser\r\n\u202eresU", "ACTIVE"}, []string{"نام\u200cخانوادگی", "ACTIVE"})
	if err != nil {
		t.Fatal(err)
	}
	want := "NAME                         STATE\n<b>Test</b>�[2J�User���resU  ACTIVE\nنام\u200cخانوادگی                 ACTIVE\n"
	if out.String() != want {
		t.Errorf("the table is\n%q\nwant\n%q", out.String(), want)
	}
}
