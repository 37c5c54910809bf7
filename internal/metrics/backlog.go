package metrics

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// backlogTimeout bounds how long a scrape waits for the database.
const backlogTimeout = 3 * time.Second

// Backlog is what waits to be done, in the whole deployment.
type Backlog struct {
	Events      int64         // not delivered yet
	Unnumbered  int64         // of these, the ones that no node has numbered
	OldestEvent time.Duration // age of the oldest of them; 0: there is none
	Failing     int64         // partners whose webhook receiver has failing deliveries
	OldestJob   time.Duration // how long the first job has been due; 0: none is due
	Debts       int64         // balances on which customers owe the platform something
	OldestDebt  time.Duration // for how long the first of them has been owed; 0: there is none
	Cases       int64         // compliance cases that wait for an officer
	OldestCase  time.Duration // for how long the first of them has waited; 0: there is none
	Suspense    int64         // payments on suspense that wait for an officer
	OldestItem  time.Duration // for how long the first of them has waited; 0: there is none
	Unanswered  int64         // returns that the bank has not answered in time
	Bank        []BankAccount // what the bank says beside the books, as it was at most a minute ago
}

// BankAccount is the newest statement of an account at the bank.
type BankAccount struct {
	IBAN       string        // the operator's own
	Difference int64         // what the bank has more than the books, in cents
	Age        time.Duration // of the statement
}

// Watch tells a Backlog with every scrape. When it cannot be read its figures are absent, and
// kontor_backlog_readable is 0: a gap is seen, an old figure is not.
func (m *Metrics) Watch(read func(context.Context) (Backlog, error)) {
	gauge := func(name, help string) *prometheus.Desc { return prometheus.NewDesc(name, help, nil, nil) }
	m.registry.MustRegister(&backlog{
		read:        read,
		readable:    gauge("kontor_backlog_readable", "Whether the figures of the backlog could be read: 1 or 0."),
		events:      gauge("kontor_events_pending", "Events that are not delivered yet."),
		unnumbered:  gauge("kontor_events_unnumbered", "Events that no node has numbered yet."),
		oldestEvent: gauge("kontor_event_oldest_pending_seconds", "Age of the oldest event that is not delivered yet; 0: there is none."),
		failing:     gauge("kontor_webhook_partners_failing", "Partners whose webhook receiver has failing deliveries and is asked for its health."),
		oldestJob:   gauge("kontor_job_oldest_due_seconds", "How long the first job has been due; 0: none is due."),
		debts:       gauge("kontor_ledger_receivables", "Balances on which customers owe the platform something."),
		oldestDebt:  gauge("kontor_ledger_oldest_receivable_seconds", "How long the oldest receivable has been owed; 0: there is none."),
		cases:       gauge("kontor_compliance_cases_open", "Compliance cases that wait for an officer."),
		oldestCase:  gauge("kontor_compliance_oldest_case_seconds", "How long the oldest open case has waited; 0: there is none."),
		suspense:    gauge("kontor_sepa_suspense_items", "Payments on suspense that wait for an officer."),
		oldestItem:  gauge("kontor_sepa_suspense_oldest_seconds", "How long the oldest payment on suspense has waited; 0: there is none."),
		unanswered:  gauge("kontor_sepa_returns_unanswered", "Payments to be sent back that the bank has not answered for five days."),
		difference: prometheus.NewDesc("kontor_bank_difference_cents",
			"What the bank has more than the books as of its newest statement, in cents.", []string{"account"}, nil),
		statement: prometheus.NewDesc("kontor_bank_statement_age_seconds", "Age of the bank's newest statement.", []string{"account"}, nil),
	})
}

// backlog is a prometheus.Collector.
type backlog struct {
	read func(context.Context) (Backlog, error)

	readable, events, unnumbered, oldestEvent, failing, oldestJob, debts, oldestDebt, cases, oldestCase, suspense, oldestItem, unanswered *prometheus.Desc
	difference, statement                                                                                                                 *prometheus.Desc // by account
}

// Describe names the figures.
func (b *backlog) Describe(descriptions chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		b.readable, b.events, b.unnumbered, b.oldestEvent, b.failing, b.oldestJob, b.debts, b.oldestDebt,
		b.cases, b.oldestCase, b.suspense, b.oldestItem, b.unanswered, b.difference, b.statement,
	} {
		descriptions <- d
	}
}

// Collect reads the figures.
func (b *backlog) Collect(figures chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), backlogTimeout)
	defer cancel()
	tell := func(d *prometheus.Desc, value float64, labels ...string) {
		figures <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, labels...)
	}
	now, err := b.read(ctx)
	if err != nil {
		tell(b.readable, 0)
		return
	}
	tell(b.readable, 1)
	tell(b.events, float64(now.Events))
	tell(b.unnumbered, float64(now.Unnumbered))
	tell(b.oldestEvent, now.OldestEvent.Seconds())
	tell(b.failing, float64(now.Failing))
	tell(b.oldestJob, now.OldestJob.Seconds())
	tell(b.debts, float64(now.Debts))
	tell(b.oldestDebt, now.OldestDebt.Seconds())
	tell(b.cases, float64(now.Cases))
	tell(b.oldestCase, now.OldestCase.Seconds())
	tell(b.suspense, float64(now.Suspense))
	tell(b.oldestItem, now.OldestItem.Seconds())
	tell(b.unanswered, float64(now.Unanswered))
	for _, a := range now.Bank {
		tell(b.difference, float64(a.Difference), a.IBAN)
		tell(b.statement, a.Age.Seconds(), a.IBAN)
	}
}

// WatchTargets tells with every scrape how many targets of webhooks this node delivers to, by the state of
// their circuit breakers.
func (m *Metrics) WatchTargets(count func() (closed, open int)) {
	gauge := func(state string, value func() int) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "kontor_webhook_targets", ConstLabels: prometheus.Labels{"state": state},
			Help: "Targets of webhooks that this node has events for, by their circuit breaker: closed, or open (they fail).",
		}, func() float64 { return float64(value()) })
	}
	m.registry.MustRegister(
		gauge("closed", func() int { closed, _ := count(); return closed }),
		gauge("open", func() int { _, open := count(); return open }))
}
