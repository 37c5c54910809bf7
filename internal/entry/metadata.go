package entry

import "encoding/json"

// EncodeMetadata is how an operation's metadata is stored: a JSON object of strings; nothing when there is none.
func EncodeMetadata(m map[string]string) (string, error) {
	if len(m) == 0 {
		return "", nil
	}
	text, err := json.Marshal(m)
	return string(text), err
}

// DecodeMetadata reads what EncodeMetadata wrote.
func DecodeMetadata(text string) (m map[string]string, err error) {
	if text != "" {
		err = json.Unmarshal([]byte(text), &m)
	}
	return m, err
}
