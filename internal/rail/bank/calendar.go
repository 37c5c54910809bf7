package bank

import (
	"fmt"
	"time"
	_ "time/tzdata" // a machine without its own table must not take a summer's cut-off for a winter's
)

// frankfurt is where TARGET, and with it a cut-off, has its hours.
const frankfurt = "Europe/Berlin"

// Calendar tells when the bank takes batches, and on which day it executes them. The zero Calendar is not usable.
type Calendar struct {
	zone   *time.Location
	cutOff int // minutes of the day
	always bool
}

// AnyTime is the calendar of SCT Inst, and of banks without a cut-off: batches are taken at any time of any day. The
// day is that of Frankfurt.
func AnyTime() (Calendar, error) {
	zone, err := time.LoadLocation(frankfurt)
	return Calendar{zone: zone, always: true}, err
}

// BusinessDays is the calendar of SEPA credit transfers: batches are taken on business days of TARGET before the
// cut-off, such as "15:30", the time in Frankfurt, and executed on the same day.
func BusinessDays(cutOff string) (Calendar, error) {
	at, err := time.Parse("15:04", cutOff)
	if err != nil || at.Hour() == 0 && at.Minute() == 0 {
		return Calendar{}, fmt.Errorf("bank: the cut-off %q is no time of the day such as 15:30", cutOff)
	}
	zone, err := time.LoadLocation(frankfurt)
	return Calendar{zone: zone, cutOff: 60*at.Hour() + at.Minute()}, err
}

// Next is the first moment from now on at which a batch may be made, and the day on which the bank executes a
// batch that is made then: midnight UTC of its date.
func (c Calendar) Next(now time.Time) (at, executeOn time.Time) {
	local := now.In(c.zone)
	today := time.Date(local.Year(), local.Month(), local.Day(), 0, 0, 0, 0, time.UTC)
	if c.always {
		return now, today
	}
	closes := time.Date(local.Year(), local.Month(), local.Day(), 0, c.cutOff, 0, 0, c.zone)
	if businessDay(today) && now.Before(closes) {
		return now, today
	}
	next := today.AddDate(0, 0, 1)
	for !businessDay(next) {
		next = next.AddDate(0, 0, 1)
	}
	return time.Date(next.Year(), next.Month(), next.Day(), 0, 0, 0, 0, c.zone), next
}

// businessDay tells whether TARGET settles on a day, by the calendar that holds since 2002 (decision of the European
// Central Bank of 14 December 2000, "Long-term calendar for TARGET closing days"): it is closed on Saturdays, Sundays,
// 1 January, Good Friday, Easter Monday, 1 May, 25 and 26 December.
func businessDay(day time.Time) bool {
	switch day.Weekday() {
	case time.Saturday, time.Sunday:
		return false
	}
	year, month, date := day.Date()
	switch {
	case month == time.January && date == 1, month == time.May && date == 1, month == time.December && (date == 25 || date == 26):
		return false
	}
	sunday := easter(year)
	today := time.Date(year, month, date, 0, 0, 0, 0, time.UTC)
	return !today.Equal(sunday.AddDate(0, 0, -2)) && !today.Equal(sunday.AddDate(0, 0, 1))
}

// easter is Easter Sunday of a year of the Gregorian calendar, by the algorithm of Meeus, Jones and Butcher.
func easter(year int) time.Time {
	golden, century, inCentury := year%19, year/100, year%100
	epact := (19*golden + century - century/4 - (century-(century+8)/25+1)/3 + 15) % 30
	weekday := (32 + 2*(century%4) + 2*(inCentury/4) - epact - inCentury%4) % 7
	late := (golden + 11*epact + 22*weekday) / 451
	from := epact + weekday - 7*late + 114
	return time.Date(year, time.Month(from/31), from%31+1, 0, 0, 0, 0, time.UTC)
}
