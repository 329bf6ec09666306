package verify

import (
	"bufio"
	"encoding/json"
	"io"
)

// WriteJSON writes a summary and the findings, in the order of [WriteTable],
// as one document, with a finding a line:
//
//	{"zones":900,"checked":900,"unanswered":0,"servers":[{...}],"findings":[
//	{"zone":"brand.example","server":"192.0.2.1:53","check":"mx",...},
//	...
//	]}
func WriteJSON[S Summary | DelegationSummary](w io.Writer, sum S, findings []Finding) error {
	b := bufio.NewWriter(w)
	head, err := json.Marshal(sum)
	if err != nil {
		return err
	}
	_, _ = b.Write(head[:len(head)-1])
	_, _ = b.WriteString(`,"findings":[`)
	for i, f := range sorted(findings) {
		line, err := json.Marshal(f)
		if err != nil {
			return err
		}
		if i > 0 {
			_ = b.WriteByte(',')
		}
		_ = b.WriteByte('\n')
		_, _ = b.Write(line)
	}
	_, _ = b.WriteString("\n]}\n")
	return b.Flush()
}
