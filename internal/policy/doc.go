// Package policy polices the repository: its tests read the source and hold it to the rules that no compiler
// checks. Which package may import which, no floats where money lives, no sleeping tests, the partner in every
// SQL statement, a comment for everything that others use, files of a size one can read.
//
// Each rule is a function over the source tree and its exceptions are data beside it, with their reasons. A
// message says how to comply. Whoever finds a rule wrong changes the rule here, in a commit of its own.
package policy
