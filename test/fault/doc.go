// Package fault proves that nothing is lost and nothing happens twice when something breaks: the program
// killed in mid-commit, a client that hangs up, a full disk, a database that goes away, a node of several
// that dies. It builds the real program, drives it over HTTP as partners' programs would, breaks something,
// and then holds everything the program ever answered or sent against a naive model of its own:
//
//   - what was acknowledged is there exactly once, and balances are what the model says (I1, I2, I5);
//   - a request whose outcome nobody knows is settled by repeating it under its key, never twice (I6);
//   - every event arrived, unchanged, in the order of its object, with numbers that have no gap (I4, I9);
//   - kontor verify finds nothing.
//
// go test runs a short version; make fault the long one. Each test prints its seed, and -args -seed N
// makes the same choices again (what the machine makes of them, it decides anew each time).
package fault
