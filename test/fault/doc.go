// Package fault proves that nothing is lost and nothing happens twice when something breaks. It builds the real
// program, drives it over HTTP as partners' programs would, breaks something, and then holds everything the
// program ever answered or sent against a naive model of its own:
//
//   - what was acknowledged is there exactly once, and balances are what the model says (I1, I2, I5);
//   - a request whose outcome nobody knows is settled by repeating it under its key, never twice (I6);
//   - every event arrived, unchanged, in the order of its object, with numbers that have no gap (I4, I9);
//   - kontor verify finds nothing;
//   - the service is back by itself within 5 seconds after the fault is gone. The tests print what they measured, and
//     allow 8 seconds, because they share their machine.
//
// For SEPA the program and the sandbox's bank run as two processes that share a folder; what the bank received and booked
// is held against the model as well.
//
// What is broken: the program, and that bank, are killed in mid-commit and while they start, clients hang up, the disk, the memory or
// the file descriptors run out, the clock is set forth and back, one of two nodes dies; PostgreSQL crashes and
// restarts, the network to it is slow, resets connections or loses what passes, and a primary dies whose standby is
// promoted, also when the standby had fallen silent before.
//
// go test runs a short version with 100 kills; make fault the long one, for MINUTES or until 10,000 kills, which ends
// with a summary: faults, operations acknowledged, doubtful ones and how many of them had happened, violations. make
// failover is the part of it about standbys. Each test prints its seed, and -args -seed N makes the same choices
// again (what the machine makes of them, it decides anew each time). Filling a disk needs root.
package fault
