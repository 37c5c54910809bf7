package web

import "net/http"

// policy lets a page load nothing but its own embedded files, and pictures that it made itself (blob:, the preview
// of a photo). Nothing inline runs or styles, nobody frames it, and its forms go nowhere else.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src 'self'; " +
	"form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// Secure sets what a browser needs to know to keep a page safe, and refuses writes that come from other sites
// with the given handler (a 403 of the standard library's when it is nil). Every page and every form goes through it.
func Secure(next, refused http.Handler) http.Handler {
	guard := http.NewCrossOriginProtection()
	if refused != nil {
		guard.SetDenyHandler(refused)
	}
	guarded := guard.Handler(next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("Referrer-Policy", "no-referrer") // the path can be what gives access
		h.Set("Cache-Control", "no-store")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=()")
		h.Set("X-Robots-Tag", "noindex, nofollow")
		guarded.ServeHTTP(w, r)
	})
}
