package exchange

import "time"

// SetNow replaces the machine's time, by which locks per minute and the age of the exposure are counted.
func (s *Service) SetNow(now func() time.Time) { s.now = now }
