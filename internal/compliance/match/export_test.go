package match

// SearchFrom is Search with another threshold.
func (x *Index) SearchFrom(p Person, least int64) []Hit { return x.search(p, least) }

// JaroWinkler is the comparison that everything else is built on.
var JaroWinkler = jaroWinkler

// Groups is names.tsv.
func Groups() string { return oneNames }
