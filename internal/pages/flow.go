package pages

import "slices"

// step is one screen of the flow.
type step string

const (
	consentStep  step = "consent"
	documentStep step = "document"
	reviewStep   step = "review"
	// A picture's step is its side: front, back, selfie.
)

// steps are the screens of a verification, in their order.
func (v *Verification) steps() []step {
	all := []step{consentStep, documentStep}
	for _, side := range sides(v.Document.Type) {
		all = append(all, step(side))
	}
	return append(all, reviewStep)
}

// done tells whether a step has what it asks for.
func (v *Verification) done(s step) bool {
	switch s {
	case consentStep:
		return v.Consented
	case documentStep:
		return v.Described
	case reviewStep:
		return v.State != Open
	default:
		return slices.Contains(v.Stored, Side(s))
	}
}

// next is the first step that is not done: where one left off.
func (v *Verification) next() step {
	for _, s := range v.steps() {
		if !v.done(s) {
			return s
		}
	}
	return reviewStep
}

// at is the step to show for a wish. A step can be seen when all before it are done.
func (v *Verification) at(wish string) step {
	next := v.next()
	for _, s := range v.steps() {
		if string(s) == wish || s == next {
			return s
		}
	}
	return next
}

// before is the step before one; "" before the first. Consent that was given is not asked for again.
func (v *Verification) before(s step) step {
	all := v.steps()
	i := slices.Index(all, s)
	if i < 1 || all[i-1] == consentStep {
		return ""
	}
	return all[i-1]
}

// after is the step that follows one: the first that is not done, so that who changes one thing is back at once.
func (v *Verification) after(s step) step {
	all := v.steps()
	for _, later := range all[min(slices.Index(all, s)+1, len(all)-1):] {
		if !v.done(later) {
			return later
		}
	}
	return v.next()
}
