// Package browser tests what people see, in a real Chromium: the whole program runs, and a tab is clicked, typed
// into and looked at as a person would.
//
// One Chromium serves all tests, each in a profile of its own. A test opens a tab, at the width of a desk or of a
// phone, with or without JavaScript:
//
//	b := open(t, phone)
//	b.visit(url)
//	b.fill("#number", "TEST123")
//	b.submit("form button.primary")
//	b.judge()
//
// A tab fails its test when the page broke its content security policy, wrote an error to the console, or
// scrolls sideways. judge asks axe-core, which is not ours, what is hard to use for people with disabilities.
//
// With KONTOR_SCREENSHOTS=folder each look (tab.look) is written there as a PNG, for a person to see; those in
// docs/images were chosen from them.
package browser
