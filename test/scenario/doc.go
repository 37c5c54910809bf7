// Package scenario tests the Partner API from outside: each YAML file below this folder tells one behaviour
// as calls, answers and webhooks, and runs on both engines against the whole program, over HTTP. A new case
// is a new file; no Go is needed for it.
//
// A file:
//
//	name: what a partner would say happens     (one sentence)
//	why: what would go wrong otherwise         (optional)
//	deployment: {guard: "1", currencies: {btc: {maxExposureEur: "5"}}} (a program of the scenario's own, which is slow: what
//	                                           the operator chose for it; with {} that is nothing)
//	settings: {wording: older}                 (of the scenario's own, fresh partner)
//	given:                                     (what exists before the first step)
//	  waiting: [newcomer]                      (users who are not verified yet)
//	  active: [payer, payee]                   (users who are verified and active)
//	  funds: {payer: "10.00", partner: "5.00"} (euros that arrived for a user, or for the partner itself)
//	  other: {…}                               (the same for a second partner)
//	undelivered: 2                             (how many events the scenario makes undeliverable)
//	steps:
//	  - that: shows what                       (optional)
//	    call: POST /v1/transfer                (the path as it goes over the wire, percent-encoded)
//	    as: other                              (the second partner calls)
//	    headers: {Idempotency-Key: k1}         (written as they are; null takes a default away; a list sends several)
//	    body: {amount: "1.00", …}              (becomes JSON, numbers in the same characters) or
//	    raw: '{"amount":1e400}'                (sent as it stands) or
//	    rawHex: 7b 7d                          (bytes) or
//	    files: [{name: a.jpg, of: photo}]      (a form with files: the name, and which of those in upload_test.go; field:
//	                                           where it is not files; cutOff: true beside it lets the form lack its end)
//	    status: 201
//	    answer: {transferId: $uuid:transfer}   (the whole answer) or
//	    answerContains: {…}                    (members that must be there, at any depth)
//	    page: [Agree and start]                (what a page for people says, in place of an answer)
//	    answerHeaders: {Retry-After: "1"}      (null: must not be there)
//	    eventually: true                       (asked again until the answer is as it should be)
//	    events:                                (webhooks that follow; those about one object in this order)
//	      - {event: p2p-transfer, body: {…}}   (path: and times: where they are not the contract's and 1)
//	  - operator: {close: true}                (the operator works, instead of a call: closes the partner,)
//	  - operator: {revoke: true}               (revokes its API key,)
//	  - operator: {set: {rateLimit: "1"}}      (changes its settings; events: are those that follow,)
//	  - operator: {adjust: {user: payer, amount: "-1.00", reason: Why}} (corrects its or a user's euros, or those of
//	    another currency:)
//	  - operator: {freeze: payer}              (freezes a user; unfreeze: lifts it)
//	  - operator: {wait: 41s}                  (lets business time pass, in a program of the scenario's own)
//	  - operator: {decide: {deposit: "${id}", verdict: RETURN}} (an officer decides on a deposit that waits)
//
// Values that are not known beforehand: $uuid (version 7), $time, $number, $string, $any (null too), $has:text
// (a string that contains the text). $uuid:name, $string:name and so on also keep what they found, $save:name
// keeps any value, and ${name} stands for it later. ${x*300} is a string of 300 x; ${lower:name},
// ${upper:name} and ${grouped:name} write a value in small or capital letters or in groups of four, and
// ${date:name} is the day of a time; ${key} is the caller's API key and ${webhook} the base of its webhook
// addresses. Numbers match by their characters: 1.50 is not 1.5.
//
// A body that differs little from an earlier one names it with an anchor (&newer) and merges it (<<: *newer).
// A step with "each: [a, b]" runs once per entry, which is ${each}; an entry that is a mapping gives each of
// its members as a name. A step with "parallel: 40" makes its call (or each of them) 40 times at once, as ${i}
// from 1; then statuses and codes count the answers, identical wants all 2xx bodies to be equal, and replayed
// counts the answers that are marked as replayed.
//
// The runner adds what holds everywhere: an X-Request-Id of its own on each answer; the content type; a status
// and a body that the OpenAPI document describes for the operation; error codes with the name and the status
// of the error table; deliveries with the right token, signature and path, a body that fits the contract, and
// numbers without a gap; no event that no step expects; and a clean "kontor verify" when all is done.
package scenario
