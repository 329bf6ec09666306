package verify

// The checks, in the order of reports.
const (
	CheckAnswer = "answer" // the server answers
	CheckServed = "served" // the server is authoritative for the zone
	CheckSerial = "serial"
	CheckNS     = "ns"
	CheckMX     = "mx"
	CheckSPF    = "spf"
	CheckDMARC  = "dmarc"
	// Of delegations:
	CheckDelegated  = "delegated"  // the parent refers to nameservers
	CheckGlue       = "glue"       // with the right addresses
	CheckLame       = "lame"       // that are authoritative for the zone
	CheckDS         = "ds"         // and has the right DS records
	CheckRegistered = "registered" // registered names are on a list
)

var checkOrder = []string{CheckAnswer, CheckServed, CheckSerial, CheckNS, CheckMX, CheckSPF, CheckDMARC,
	CheckDelegated, CheckGlue, CheckLame, CheckDS, CheckRegistered}

// Finding is one deviation from the plan.
type Finding struct {
	// Zone is the name of the zone without final dot, "" for a server that
	// does not answer at all.
	Zone string `json:"zone,omitempty"`
	// Server is an address with port, "" for a zone that the manifest lacks. In
	// deviations of the delegation it is the name of the parent without final dot.
	Server string `json:"server,omitempty"`
	// Check is one of the checks.
	Check string `json:"check"`
	// Name is the owner name that was queried, without final dot: the zone or
	// a name below it.
	Name string `json:"name,omitempty"`
	// Want and Have are serial numbers, or the data of RRsets in presentation
	// form (RFC 1035 section 5.1), sorted and separated by commas, where TXT
	// data are in one pair of quotes. Both are empty when the reason says
	// everything, Have also when there is no record. Have comes from the
	// network: it is cut when it is long.
	Want string `json:"want,omitempty"`
	Have string `json:"have,omitempty"`
	// Reason says what is wrong.
	Reason string `json:"reason"`
}

// maxHave limits what is kept of a server's data, in bytes.
const maxHave = 1024

func shorten(s string) string {
	if len(s) <= maxHave {
		return s
	}
	return s[:maxHave] + "..."
}
