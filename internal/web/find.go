package web

import (
	"net/http"
	"strings"

	"nullspf/internal/value"
)

// paramFind is what is looked for.
const paramFind = "q"

// find leads to the page about what was typed: an address or a prefix, a sender, a domain.
func (w *Server) find(rw http.ResponseWriter, r *http.Request) error {
	f, err := w.asked(r, paramFind)
	if err != nil {
		return err
	}
	text := f.get(paramFind)
	param := paramDomain
	if _, err := value.ParsePrefix(text); err == nil {
		param = paramIP
	} else if strings.HasPrefix(text, pseudonymMark) && w.names != nil {
		switch _, err := w.names.behind(anAddress, text); {
		case err == nil:
			param = paramIP
		case strings.Contains(text, "@"):
			param, text = paramSender, "="+text
		default:
			param, text = paramHELO, "="+text
		}
	} else if strings.Contains(text, "@") {
		param = paramSender
	}
	http.Redirect(rw, r, f.link("/", param, text), http.StatusSeeOther)
	return nil
}
