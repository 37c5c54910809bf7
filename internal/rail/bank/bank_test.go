package bank

import (
	"context"
	"os"
	"testing"

	"kontor/internal/sepa"
)

// booked keeps what is to be booked.
type booked struct {
	told
	all []sepa.Entry
}

func (b *booked) Book(_ context.Context, entries []sepa.Entry) error {
	b.all = append(b.all, entries...)
	return nil
}

func TestPaymentsOfBatchesAreToldApart(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("iso20022/testdata/bank/camt.053.001.08.xml")
	if err != nil {
		t.Fatal(err)
	}
	b := &booked{}
	if err := (Account{IBAN: "LT121000011101001000"}).Take(t.Context(), text, b); err != nil {
		t.Fatal(err)
	}
	type short struct {
		reference, part string
		cents, whole    int64
		batch           int64
	}
	want := []short{{"B1", "", 60_00, 0, 3}, {"B2", "", 30_00, 0, 1}, {"B3", "B3-1", 4_00, 10_00, 0}, {"B3", "B3-2", 6_00, 10_00, 0}, {"B4", "", -5_00, 0, 0}}
	for i, e := range b.all {
		if got := (short{e.Reference, e.Part, e.Amount.Units(), e.Whole.Units(), e.Batch}); i >= len(want) || got != want[i] {
			t.Errorf("payment %d is %+v", i, got)
		}
	}
	if len(b.all) != len(want) {
		t.Errorf("%d payments are told", len(b.all))
	}
}
