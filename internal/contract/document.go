package contract

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"gopkg.in/yaml.v3"
)

// document is the OpenAPI document twice: as YAML nodes, which keep the order of members, and as the plain
// values that the schema compiler takes.
type document struct {
	root *yaml.Node
	tree any
}

// pair is one member of a YAML mapping.
type pair struct {
	name  string
	value *yaml.Node
}

func parseDocument(text []byte) (*document, error) {
	var file yaml.Node
	if err := yaml.Unmarshal(text, &file); err != nil {
		return nil, fmt.Errorf("read contract: %w", err)
	}
	if len(file.Content) != 1 {
		return nil, errors.New("read contract: the document is empty")
	}
	root := file.Content[0]
	tree, err := plain(root)
	if err != nil {
		return nil, fmt.Errorf("read contract: %w", err)
	}
	return &document{root: root, tree: tree}, nil
}

// plain turns a node into maps, slices, strings, bools, nil and json.Number, the values of a JSON document.
func plain(n *yaml.Node) (any, error) {
	switch n.Kind {
	case yaml.MappingNode:
		m := make(map[string]any, len(n.Content)/2)
		for _, p := range pairs(n) {
			if _, twice := m[p.name]; twice {
				return nil, fmt.Errorf("line %d: %q stands there twice", n.Line, p.name)
			}
			v, err := plain(p.value)
			if err != nil {
				return nil, err
			}
			m[p.name] = v
		}
		return m, nil
	case yaml.SequenceNode:
		list := make([]any, len(n.Content))
		for i, item := range n.Content {
			v, err := plain(item)
			if err != nil {
				return nil, err
			}
			list[i] = v
		}
		return list, nil
	case yaml.ScalarNode:
		return scalar(n), nil
	default:
		return nil, fmt.Errorf("line %d: only mappings, lists and scalars are understood, no aliases", n.Line)
	}
}

// scalar keeps numbers as they are written and leaves times as text, as they are in JSON.
func scalar(n *yaml.Node) any {
	switch n.ShortTag() {
	case "!!null":
		return nil
	case "!!bool":
		return n.Value == "true"
	case "!!int", "!!float":
		return json.Number(n.Value)
	default:
		return n.Value
	}
}

// pairs lists the members of a mapping in their order; nothing for any other node.
func pairs(n *yaml.Node) []pair {
	if n == nil || n.Kind != yaml.MappingNode {
		return nil
	}
	list := make([]pair, 0, len(n.Content)/2)
	for i := 0; i+1 < len(n.Content); i += 2 {
		list = append(list, pair{n.Content[i].Value, n.Content[i+1]})
	}
	return list
}

// items lists the entries of a YAML list; nothing for any other node.
func items(n *yaml.Node) []*yaml.Node {
	if n == nil || n.Kind != yaml.SequenceNode {
		return nil
	}
	return n.Content
}

// member returns the named member of a mapping, or nil.
func member(n *yaml.Node, names ...string) *yaml.Node {
	for _, name := range names {
		var found *yaml.Node
		for _, p := range pairs(n) {
			if p.name == name {
				found = p.value
			}
		}
		n = found
	}
	return n
}

// text returns the named member's scalar, or "".
func text(n *yaml.Node, name string) string {
	if m := member(n, name); m != nil {
		return m.Value
	}
	return ""
}

// resolve follows references until it stands on something else, and returns its pointer too. The document
// is the program's own, so a reference that leads nowhere is found at start, by the schema compiler.
func (d *document) resolve(n *yaml.Node, pointer string) (*yaml.Node, string) {
	for {
		ref := text(n, "$ref")
		if !strings.HasPrefix(ref, "#/") {
			return n, pointer
		}
		pointer = strings.TrimPrefix(ref, "#")
		n = d.at(pointer)
	}
}

// at returns the node that a JSON pointer (RFC 6901) leads to, or nil. Percent-encoding is understood, as
// the pointer can come from the fragment of a URL.
func (d *document) at(pointer string) *yaml.Node {
	if plain, err := url.PathUnescape(pointer); err == nil {
		pointer = plain
	}
	n := d.root
	for token := range strings.SplitSeq(strings.TrimPrefix(pointer, "/"), "/") {
		token = strings.ReplaceAll(strings.ReplaceAll(token, "~1", "/"), "~0", "~")
		if list := items(n); list != nil {
			var i int
			if _, err := fmt.Sscan(token, &i); err != nil || i < 0 || i >= len(list) {
				return nil
			}
			n = list[i]
			continue
		}
		n = member(n, token)
	}
	return n
}

// escape makes a member's name a token of a JSON pointer.
func escape(token string) string {
	return strings.ReplaceAll(strings.ReplaceAll(token, "~", "~0"), "/", "~1")
}
