package partner

import (
	"maps"
	"slices"
	"strings"
	"time"

	"kontor/internal/db"
	"kontor/internal/event"
)

// The settings that hold URLs of webhooks.
const (
	baseURL   = "webhook.baseUrl"
	eventURLs = "webhook.url." // and the name of an event
)

// tellOldURLs queues a notice to the URL behind each setting of a webhook URL that was changed: the one that got
// the events until now. That of an event without a URL of its own is the base URL.
func (s *Service) tellOldURLs(tx *db.Tx, before Partner, after Settings, at time.Time) error {
	for _, name := range slices.Sorted(maps.Keys(difference(before.Settings, after))) {
		reason := event.URLReplaced
		if after[name] == "" {
			reason = event.URLRemoved
		}
		if err := s.tellOldURL(tx, before, name, reason, at); err != nil {
			return err
		}
	}
	return nil
}

// tellOfEnd queues a notice to each URL of a partner that is closed.
func (s *Service) tellOfEnd(tx *db.Tx, p Partner) error {
	for _, name := range slices.Sorted(maps.Keys(p.Settings)) {
		if err := s.tellOldURL(tx, p, name, event.PartnerClosed, p.ClosedAt); err != nil {
			return err
		}
	}
	return nil
}

func (s *Service) tellOldURL(tx *db.Tx, before Partner, setting, reason string, at time.Time) error {
	if setting != baseURL && !strings.HasPrefix(setting, eventURLs) {
		return nil
	}
	old := before.Settings[setting]
	if base := before.Settings[baseURL]; base != "" && (setting == baseURL || old == "") {
		var err error
		if old, err = event.NoticeURL(base); err != nil {
			return err
		}
	}
	if old == "" {
		return nil
	}
	return s.events.WriteNotice(tx, before.ID, event.Notice{Setting: setting, OldURL: old, Reason: reason}, at)
}
