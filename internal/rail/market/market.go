// Package market is where prices come from: what one unit of each currency costs in EUR.
//
// In staging they come from a Sandbox, which needs nobody: fixed values at the start, and a walk that only the
// business clock moves. In production they come from a Feed, which polls independent sources, takes the median of
// those that agree, and has no price at all for a market whose sources are silent, too old, or apart from each
// other: whoever asks for a price gets a right one or none. Both answer from memory. A Recorder keeps what they
// said.
package market

import "kontor/internal/money"

// decimals is how fine a price is that was computed.
const decimals = 8

// Prices are prices by slug; eur is 1. They are shared, and nobody changes them.
type Prices = map[string]money.Rate
