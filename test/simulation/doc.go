// Package simulation runs random histories against the real program and a naive model of it, with faults at
// every step, and compares the two all the time.
//
// A history is made from a seed. Partners open users, have them verified, pay in, transfer, send by SEPA and exchange over
// the real HTTP handler. The sandbox's bank rejects and returns transfers and says nothing of some; payments come from
// owners, from others and for nobody, announced or not, in statements of several lines, some of which it tells again;
// officers decide about what waits on suspense. The ledger's holds, collections, corrections, API keys and the master
// key are worked through their services. Meanwhile calls of the database fail (before they arrive, in the engine at a
// random statement of the transaction, with everything that is committed together, or after they took effect), queries
// break off, receivers of webhooks fail, hang up or take too long, the business clock jumps back and forth, and the
// program is stopped and started again. All of it happens in a bubble of testing/synctest: time is the simulation's, and
// a history of days takes a second.
//
// The model (model_test.go, sepamodel_test.go) knows the program from outside: maps and integers. It says what each request must
// answer, what stands on every account, and which events must exist. A request whose outcome is unknown is
// repeated under its key until it is known, and the books must show one of the two possibilities meanwhile.
// After each step, and at quiet points where everything that waits is worked off, the invariants I1 to I9
// and I11 of docs/invariants.md are checked by app.Verify, by the model, by what the receiver got, and at quiet points
// by the bank's own book.
//
// In a sequential history one player does one thing after another; the seed repeats its steps and their faults, and
// what the program does by itself in the background nearly so. In a concurrent one several players act at the same
// time, each with partners of its own, and contend for one partner's money.
//
// It was seen to catch, within seconds, a program that was broken in these ways: a repeated request runs again, or
// its record is not stored; a refusal is told although the key cannot be looked up; an answer is given before the
// commit is known; an unknown commit is run again; the error of a savepoint, of a group or of a pipelined batch is
// swallowed; rows that break off are taken for all; a hold ends twice, or its rest stays held; a debt is not repaid;
// what is held is collected; an expired user pays; a job forgets that it was here before; an event is missing, is sent
// out of order, or is told to be delivered when it was not; another partner's transfer is shown; a revoked key lets
// in; the rotation of the master key forgets a part; a payment of the bank's is credited twice when its job runs again, or
// from clearing while it is on suspense; somebody else's is credited because the user was verified again.
//
// To go on from a failure, run its seed again:
//
//	go test ./test/simulation -run TestSimulation/sqlite -args -mode sequential -seed 123
//
// make simulate runs new histories for hours and stops at the first violation.
package simulation
