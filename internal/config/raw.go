package config

// raw is the shape of the file. Scalars stay text until their key and line
// can be named in an error; Load turns them into typed values.
type raw struct {
	Output       string              `mapstructure:"output"`
	Nameservers  []string            `mapstructure:"nameservers"`
	SOA          rawSOA              `mapstructure:"soa"`
	TTL          string              `mapstructure:"ttl"`
	TXTTTL       string              `mapstructure:"txt_ttl"`
	Serial       string              `mapstructure:"serial"`
	Track        rawTrack            `mapstructure:"track"`
	Groups       map[string]rawGroup `mapstructure:"groups"`
	HandKept     []rawHandKept       `mapstructure:"handkept"`
	Primary      rawPrimary          `mapstructure:"primary"`
	Secondary    rawSecondary        `mapstructure:"secondary"`
	Secondaries  []rawServer         `mapstructure:"secondaries"`
	Nullspfd     rawNullspfd         `mapstructure:"nullspfd"`
	TSIG         rawTSIG             `mapstructure:"tsig"`
	Servers      []string            `mapstructure:"servers"`
	BINDTerms    string              `mapstructure:"bind_terms"`
	BINDView     string              `mapstructure:"bind_view"`
	DNSSEC       string              `mapstructure:"dnssec"`
	Catalog      rawCatalog          `mapstructure:"catalog"`
	Apply        []rawTarget         `mapstructure:"apply"`
	AfterWrite   []string            `mapstructure:"after_write"`
	Postmaster   string              `mapstructure:"postmaster"`
	RejectSender string              `mapstructure:"reject_sender"`
	Journals     []string            `mapstructure:"journals"`
	GeoIP        rawGeoIP            `mapstructure:"geoip"`
	Evidence     rawEvidence         `mapstructure:"evidence"`
	Web          rawWeb              `mapstructure:"web"`
}

type rawWeb struct {
	Listen       string       `mapstructure:"listen"`
	Certificate  string       `mapstructure:"certificate"`
	Key          string       `mapstructure:"key"`
	Hosts        []string     `mapstructure:"hosts"`
	Users        []rawWebUser `mapstructure:"users"`
	Proxy        rawWebProxy  `mapstructure:"proxy"`
	PseudonymKey string       `mapstructure:"pseudonym_key"`
	Metrics      []string     `mapstructure:"metrics"`
}

type rawWebUser struct {
	Name string `mapstructure:"name"`
	Hash string `mapstructure:"hash"`
	Role string `mapstructure:"role"`
}

type rawWebProxy struct {
	From   []string `mapstructure:"from"`
	Header string   `mapstructure:"header"`
	Role   string   `mapstructure:"role"`
}

type rawEvidence struct {
	Reporters          []string `mapstructure:"reporters"`
	Allow              []string `mapstructure:"allow"`
	PublicResolvers    []string `mapstructure:"public_resolvers"`
	Expiry             string   `mapstructure:"expiry"`
	Cap                string   `mapstructure:"cap"`
	AllowTestAddresses string   `mapstructure:"allow_test_addresses"`
}

type rawGeoIP struct {
	AS      string `mapstructure:"as"`
	Country string `mapstructure:"country"`
}

type rawSOA struct {
	MName   string `mapstructure:"mname"`
	RName   string `mapstructure:"rname"`
	Refresh string `mapstructure:"refresh"`
	Retry   string `mapstructure:"retry"`
	Expire  string `mapstructure:"expire"`
	Minimum string `mapstructure:"minimum"`
}

type rawTrack struct {
	Zone        string   `mapstructure:"zone"`
	Nameservers []string `mapstructure:"nameservers"`
	Listen      []string `mapstructure:"listen"`
	Explain     string   `mapstructure:"explain"`
	TTL         string   `mapstructure:"ttl"`
}

type rawGroup struct {
	List              []rawList    `mapstructure:"list"`
	Nameservers       []string     `mapstructure:"nameservers"`
	SOA               rawSOA       `mapstructure:"soa"`
	TTL               string       `mapstructure:"ttl"`
	TXTTTL            string       `mapstructure:"txt_ttl"`
	A                 []string     `mapstructure:"a"`
	AAAA              []string     `mapstructure:"aaaa"`
	WWW               string       `mapstructure:"www"`
	Mail              string       `mapstructure:"mail"`
	MX                []rawMX      `mapstructure:"mx"`
	Nolisting         rawNolisting `mapstructure:"nolisting"`
	SPF               rawSPF       `mapstructure:"spf"`
	TXT               []string     `mapstructure:"txt"`
	DMARC             rawDMARC     `mapstructure:"dmarc"`
	DKIM              string       `mapstructure:"dkim"`
	WildcardSPF       string       `mapstructure:"wildcard_spf"`
	WildcardMX        string       `mapstructure:"wildcard_mx"`
	AllowPublicSuffix string       `mapstructure:"allow_public_suffix"`
	AllowSingleLabel  string       `mapstructure:"allow_single_label"`
	AllowEmpty        string       `mapstructure:"allow_empty"`
	AllowIDNA2003     string       `mapstructure:"allow_idna2003"`
}

type rawHandKept struct {
	Zone      string `mapstructure:"zone"`
	File      string `mapstructure:"file"`
	Group     string `mapstructure:"group"`
	Directory string `mapstructure:"directory"`
}

// rawList is the path of a list, or a mapping.
type rawList struct {
	File      string `mapstructure:"file"`
	Column    string `mapstructure:"column"`
	Separator string `mapstructure:"separator"`
}

type rawMX struct {
	Host       string   `mapstructure:"host"`
	Preference string   `mapstructure:"preference"`
	Role       string   `mapstructure:"role"`
	Addresses  []string `mapstructure:"addresses"`
}

type rawNolisting struct {
	Layout             string `mapstructure:"layout"`
	AllowTestAddresses string `mapstructure:"allow_test_addresses"`
}

type rawSPF struct {
	Layout    string `mapstructure:"layout"`
	Qualifier string `mapstructure:"qualifier"`
}

type rawDMARC struct {
	Publish string   `mapstructure:"publish"`
	Policy  string   `mapstructure:"policy"`
	RUA     []string `mapstructure:"rua"`
	RUF     []string `mapstructure:"ruf"`
}

type rawPrimary struct {
	Addresses     []string `mapstructure:"addresses"`
	AllowTransfer []string `mapstructure:"allow_transfer"`
	AlsoNotify    []string `mapstructure:"also_notify"`
}

type rawSecondary struct {
	Addresses []string `mapstructure:"addresses"`
	Store     string   `mapstructure:"store"`
}

type rawServer struct {
	Address  string `mapstructure:"address"`
	Key      string `mapstructure:"key"`
	Software string `mapstructure:"software"`
}

type rawNullspfd struct {
	Listen    []string `mapstructure:"listen"`
	Control   string   `mapstructure:"control"`
	Metrics   string   `mapstructure:"metrics"`
	Health    string   `mapstructure:"health"`
	Retain    string   `mapstructure:"retain"`
	RetainRaw string   `mapstructure:"retain_raw"`
	MaxSize   string   `mapstructure:"max_size"`
	RRL       string   `mapstructure:"rrl"`
	Proxy     []string `mapstructure:"proxy"`
	DNSBL     rawDNSBL `mapstructure:"dnsbl"`
	SMTP      rawSMTP  `mapstructure:"smtp"`
}

type rawDNSBL struct {
	Zone string `mapstructure:"zone"`
	File string `mapstructure:"file"`
}

type rawSMTP struct {
	Listen      []string `mapstructure:"listen"`
	Mode        string   `mapstructure:"mode"`
	At          string   `mapstructure:"at"`
	Tarpit      string   `mapstructure:"tarpit"`
	Certificate string   `mapstructure:"certificate"`
	Key         string   `mapstructure:"key"`
	Connections string   `mapstructure:"connections"`
}

type rawTSIG struct {
	Name       string `mapstructure:"name"`
	Algorithm  string `mapstructure:"algorithm"`
	SecretFile string `mapstructure:"secret_file"`
}

type rawCatalog struct {
	Zone string `mapstructure:"zone"`
}

type rawTarget struct {
	Server  string   `mapstructure:"server"`
	Role    string   `mapstructure:"role"`
	Command []string `mapstructure:"command"`
	Catalog string   `mapstructure:"catalog"`
}
