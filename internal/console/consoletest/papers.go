package consoletest

import (
	"bytes"
	"context"
	"image"
	"image/color"
	"image/draw"
	"image/jpeg"
	"sync"

	"kontor/internal/audit"
	"kontor/internal/clock"
	"kontor/internal/console"
	"kontor/internal/db"
	"kontor/internal/user"
)

// log is written by the program and read by a test.
type log struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Write adds lines.
func (l *log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// Papers keeps made-up documents and proofs of address in memory.
type Papers struct {
	mu     sync.Mutex
	files  []console.Document
	owners []clock.ID
	proofs []console.Proof
	broken map[clock.ID]error
	db     *db.DB
	clock  clock.Clock
}

// AddDocument gives a user a document. Its content is a grey picture, or an empty PDF.
func (p *Papers) AddDocument(u user.User, d console.Document) console.Document {
	p.mu.Lock()
	defer p.mu.Unlock()
	d.Partner, d.ID, d.CreatedAt, d.Size = u.Partner, clock.NewID(), p.clock.Now(), 420_000
	p.files, p.owners = append(p.files, d), append(p.owners, u.ID)
	return d
}

// Break makes every look at a document end with the error.
func (p *Papers) Break(id clock.ID, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.broken == nil {
		p.broken = map[clock.ID]error{}
	}
	p.broken[id] = err
}

// AddProof has a user send a proof of address.
func (p *Papers) AddProof(u user.User) console.Proof {
	p.mu.Lock()
	proof := console.Proof{
		Partner: u.Partner, ID: clock.NewID(), User: u.ID, ExternalID: u.ExternalID, Status: "WAITING", CreatedAt: p.clock.Now(),
	}
	p.proofs = append(p.proofs, proof)
	p.mu.Unlock()
	p.AddDocument(u, console.Document{Proves: "POA", Check: proof.ID, Media: "image/png"})
	return proof
}

// Files is console.Documents'.
func (p *Papers) Files(_ db.Reader, partner int64, u clock.ID) (all []console.Document, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, d := range p.files {
		if d.Partner == partner && p.owners[i] == u {
			all = append(all, d)
		}
	}
	return all, nil
}

// Show is console.Documents'.
func (p *Papers) Show(ctx context.Context, actor string, partner int64, id clock.ID, page int) ([]byte, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, d := range p.files {
		if d.Partner != partner || d.ID != id || page < 1 || page > max(1, d.Pages) {
			continue
		}
		err := p.db.Update(ctx, func(tx *db.Tx) error {
			return audit.Write(tx, audit.Entry{Actor: actor, Action: "document.view", Partner: partner, Object: id.String()})
		})
		if why := p.broken[id]; why != nil {
			return nil, why
		}
		return picture(), err
	}
	return nil, console.ErrNoDocument
}

// Prepare is console.Documents'.
func (p *Papers) Prepare() {}

// picture looks a little like a card with a photo.
func picture() []byte {
	card := image.NewRGBA(image.Rect(0, 0, 640, 400))
	fill := func(r image.Rectangle, grey uint8) {
		draw.Draw(card, r, image.NewUniform(color.Gray{grey}), image.Point{}, draw.Src)
	}
	fill(card.Bounds(), 0xe0)
	fill(image.Rect(30, 90, 200, 320), 0xa0)
	for y := 100; y < 320; y += 44 {
		fill(image.Rect(230, y, 560-y/3, y+16), 0x70)
	}
	var b bytes.Buffer
	_ = jpeg.Encode(&b, card, nil) // into memory
	return b.Bytes()
}

// Waiting is console.Proofs'.
func (p *Papers) Waiting(_ db.Reader, limit int) (all []console.Proof, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, one := range p.proofs {
		if one.Status == "WAITING" && len(all) < limit {
			all = append(all, one)
		}
	}
	return all, nil
}

// Find is console.Proofs'.
func (p *Papers) Find(_ db.Reader, partner int64, id clock.ID) (console.Proof, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, one := range p.proofs {
		if one.Partner == partner && one.ID == id {
			return one, nil
		}
	}
	return console.Proof{}, console.ErrNoProof
}

// Decide is console.Proofs'.
func (p *Papers) Decide(_ context.Context, partner int64, id clock.ID, actor, status, reason string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, one := range p.proofs {
		switch {
		case one.Partner != partner || one.ID != id:
		case one.Status != "WAITING":
			return console.ErrProofDecided
		default:
			p.proofs[i].Status, p.proofs[i].Officer, p.proofs[i].Reason, p.proofs[i].DecidedAt = status, actor, reason, p.clock.Now()
			return nil
		}
	}
	return console.ErrNoProof
}
