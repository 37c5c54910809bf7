package iso20022

// ReadUpTo is Read with a limit of a test's own.
var ReadUpTo = read
