package job

import "context"

// Renew extends the leases of the jobs that run now, as the runner does every second.
func (r *Runner) Renew() error { return r.renew(context.Background()) }
