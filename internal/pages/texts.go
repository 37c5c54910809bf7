package pages

import (
	"embed"
	"encoding/json"
	"fmt"
	"path"
	"strings"

	"golang.org/x/text/language"
	"golang.org/x/text/language/display"
)

// One file per language, named by its BCP 47 tag. English comes first: it is what those get whose language is not
// here. A new language is a new file.
//
//go:embed texts/*.json
var textFiles embed.FS

// catalogue holds all texts of the pages in one language.
type catalogue struct {
	tag       string
	texts     map[string]string
	countries display.Namer
}

// catalogues are the languages there are, and who gets which.
type catalogues struct {
	all     []*catalogue
	matcher language.Matcher
}

const fallback = "en"

// readTexts reads the catalogues. Each must have exactly the keys of the English one.
func readTexts() (*catalogues, error) {
	files, err := textFiles.ReadDir("texts")
	if err != nil {
		return nil, err
	}
	c := &catalogues{}
	var tags []language.Tag
	for _, f := range files {
		one, tag, err := readCatalogue(f.Name())
		if err != nil {
			return nil, fmt.Errorf("pages: texts/%s: %w", f.Name(), err)
		}
		if one.tag == fallback {
			c.all, tags = append([]*catalogue{one}, c.all...), append([]language.Tag{tag}, tags...)
		} else {
			c.all, tags = append(c.all, one), append(tags, tag)
		}
	}
	for _, one := range c.all[1:] {
		if missing := c.all[0].lacking(one); len(missing) > 0 {
			return nil, fmt.Errorf("pages: texts/%s.json and texts/%s.json differ in %s", one.tag, fallback, strings.Join(missing, ", "))
		}
	}
	c.matcher = language.NewMatcher(tags)
	return c, nil
}

func readCatalogue(name string) (*catalogue, language.Tag, error) {
	text, err := textFiles.ReadFile("texts/" + name)
	if err != nil {
		return nil, language.Und, err
	}
	tag, err := language.Parse(strings.TrimSuffix(name, path.Ext(name)))
	if err != nil {
		return nil, language.Und, err
	}
	one := &catalogue{tag: tag.String(), texts: map[string]string{}, countries: display.Regions(tag)}
	return one, tag, json.Unmarshal(text, &one.texts)
}

// lacking are the keys that only one of the two has.
func (c *catalogue) lacking(other *catalogue) []string {
	var keys []string
	for _, pair := range [][2]*catalogue{{c, other}, {other, c}} {
		for key := range pair[0].texts {
			if _, ok := pair[1].texts[key]; !ok {
				keys = append(keys, key)
			}
		}
	}
	return keys
}

// choose finds the language for an Accept-Language header (RFC 9110, section 12.5.4).
func (c *catalogues) choose(accept string) *catalogue {
	wanted, _, err := language.ParseAcceptLanguage(accept)
	if err != nil {
		return c.all[0]
	}
	_, i, _ := c.matcher.Match(wanted...)
	return c.all[i]
}

// has tells whether there is a text.
func (c *catalogue) has(key string) bool {
	_, ok := c.texts[key]
	return ok
}

// say answers a text with its {places} filled: pairs of a place's name and what stands there. It panics for a key
// that there is not: the tests show every page.
func (c *catalogue) say(key string, places ...string) string {
	text, ok := c.texts[key]
	if !ok {
		panic("pages: there is no text " + key)
	}
	for i := 0; i+1 < len(places); i += 2 {
		text = strings.ReplaceAll(text, "{"+places[i]+"}", places[i+1])
	}
	return text
}
