package namecheck_test

import (
	"testing"

	"kontor/internal/namecheck"
)

// The thresholds that partners have unless they choose others.
const accept, reject = 920, 750

// said puts a score into words.
func said(score int64) string {
	switch {
	case score >= accept:
		return "same"
	case score < reject:
		return "other"
	}
	return "unsure"
}

func TestPeople(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ first, last, sender, want string }{
		{"Test", "User", "Test User", "same"},
		{"Test", "User", "USER TEST", "same"},
		{"Test", "User", "Mr. Test User", "same"},
		{"Test", "User", "User, Dr. Test", "same"},
		{"Test", "User", "T. User", "unsure"},
		{"Test", "User", "Test", "other"},
		{"Test", "User", "Probe User", "other"},
		{"Test", "User", "Test Partner", "other"},
		{"Test", "User", "Test User & Probe Beispiel", "same"},
		{"Test", "User", "Test Beispiel & Probe User", "other"},
		{"Test", "User", "Test User GmbH", "unsure"},
		{"Test", "User", "", "other"},
		{"Jürgen", "Prüfer", "Juergen Pruefer", "same"},
		{"Jürgen", "Prüfer", "Jurgen Prufer", "same"},
		{"Тест", "Пример", "Test Primer", "same"},
		{"Anna Test", "Muster-Probe", "Anna Muster", "same"},
		{"Anna", "Muster", "Anna Muster-Probe", "same"},
		{"Anna", "Muster", "Anna Probe geb. Muster", "same"},
		{"Anna", "Muster-Probe", "Anna Muster-Beispiel", "unsure"},
		{"Test", "van den Probe", "Test Vandenprobe", "same"},
		{"Test", "van den Probe", "Probe, Test", "same"},
		{"Mario", "Muster", "Maria Muster", "unsure"},
		{"Test", "O'Probe", "Test O Probe", "same"},
		{"Test", "OʼProbe", "Test O'Probe", "same"},
		{"", "Muster", "Muster", "same"},
		{"", "Muster", "Mustar", "unsure"},
		{"Anna", "Muster", "Anne Muster", "unsure"},
		{"Anna", "Musterr", "Anna Muster", "unsure"},
		{"Test", "Meier", "Test Meyer", "unsure"},
		{"Test", "Probeschmidt", "Test Probeschmitt", "unsure"},
		{"Test", "Muster-Meier", "Test Muster Meyer", "unsure"},
		{"Test Maria", "Muster", "Test Marya Muster", "unsure"},
		{"Test", "van den Probe", "Test Vandenprobbe", "unsure"},
		{"Maria Marta", "Muster", "Marta Muster", "same"},
		{"Eva", "Muster", "Ivo Muster", "unsure"},
		{"Eva", "Mustermeister", "Udo Mustermeister", "other"},
		{"Test", "Müster", "Test Muester", "same"},
		{"Test", "Muester", "Test Müster", "same"},
		{"Test", "Muester", "Test Muster", "unsure"},
		{"Test", "Weißprobe", "Test Weisprobe", "unsure"},
		{"Тест", "Пример", "Тест Премер", "unsure"},
	} {
		score := namecheck.Person(c.first, c.last, c.sender)
		if got := said(score); got != c.want {
			t.Errorf("%s %s against %q: %d, %s, want %s", c.first, c.last, c.sender, score, got, c.want)
		}
	}
}

func TestCompanies(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ legal, sender, want string }{
		{"Test Partner", "Test Partner", "same"},
		{"Test Partner GmbH", "TEST PARTNER G.m.b.H.", "same"},
		{"Test Partner GmbH", "Test Partner Gesellschaft mit beschränkter Haftung", "same"},
		{"Test Partner GmbH", "Test Partner", "same"},
		{"UAB Test Partner", "Test Partner, UAB", "same"},
		{"Test Partner Sp. z o.o.", "Test Partner Spółka z ograniczoną odpowiedzialnością", "same"},
		{"Test Partner GmbH", "Test Partner AG", "unsure"},
		{"Test Partner GmbH", "Test Partner Probe GmbH", "unsure"},
		{"Test Partner GmbH", "Probe GmbH", "other"},
		{"Test 54 Ltd", "Test 55 Ltd", "other"},
		{"Test Partner Ltd", "Probe Ltd t/a Test Partner Ltd", "same"},
		{"Test Partner", "Test User", "other"},
		{"Prüfer GmbH", "Pruefer GmbH", "same"},
		{"Prüfer GmbH", "PRUFER GMBH", "same"},
		{"Пример GmbH", "Primer GmbH", "same"},
		{"Meier GmbH", "Meyer GmbH", "unsure"},
		{"Meier Bau GmbH", "Bau Meyer GmbH", "unsure"},
	} {
		score := namecheck.Company(c.legal, c.sender)
		if got := said(score); got != c.want {
			t.Errorf("%s against %q: %d, %s, want %s", c.legal, c.sender, score, got, c.want)
		}
	}
}

// misspelt are all texts that are a name with another letter in one place, with one less, and with one more.
func misspelt(name string) (all []string) {
	for i := range name {
		if name[i] == ' ' {
			continue
		}
		all = append(all, name[:i]+name[i+1:])
		for c := 'a'; c <= 'z'; c++ {
			if letter := string(c); letter != name[i:i+1] {
				all = append(all, name[:i]+letter+name[i+1:], name[:i]+letter+name[i:])
			}
		}
	}
	return all
}

func TestOneLetterLeavesItOpen(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ first, last string }{{"anna", "schmidt"}, {"test", "user"}, {"peter", "meier"}, {"jan", "ort"}, {"juergen", "weisz"}} {
		for _, sender := range misspelt(c.first + " " + c.last) {
			if score := namecheck.Person(c.first, c.last, sender); said(score) != "unsure" {
				t.Errorf("%s %s against %q: %d", c.first, c.last, sender, score)
			}
		}
	}
	for _, sender := range misspelt("meier muster") {
		if score := namecheck.Company("Meier Muster GmbH", sender+" GmbH"); said(score) != "unsure" {
			t.Errorf("Meier Muster GmbH against %q: %d", sender, score)
		}
	}
}
