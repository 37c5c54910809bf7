package history

// LimitStatements makes statements short enough for a test of their limit.
func (s *Service) LimitStatements(entries int) { s.longest = entries }
