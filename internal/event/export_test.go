package event

import "time"

// SetTimeout shortens how long an attempt waits for an answer. It is called before Run.
func (d *Deliverer) SetTimeout(t time.Duration) { d.client.Timeout = t }
