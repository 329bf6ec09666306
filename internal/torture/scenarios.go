package torture

// Scenario is a subject of "make torture".
type Scenario struct {
	Name string
	// Package and Tests are what runs: one test after the other, in one process.
	Package string
	Tests   []string
	// Weight is the share of the time. Scenarios without any run only on request.
	Weight int
}

// Scenarios are what "make torture" runs, in this order.
var Scenarios = []Scenario{
	{"packets", "internal/loadtest", []string{"TestMutatedPackets"}, 4},
	{"tsig", "internal/loadtest", []string{"TestDamagedSignatures"}, 2},
	{"connections", "internal/loadtest", []string{"TestConnections"}, 3},
	{"smtp", "internal/loadtest", []string{"TestSMTPSessions"}, 3},
	{"xdp", "internal/nameserver", []string{"TestXDPLikeSockets"}, 2},
	{"kill", "internal/loadtest", []string{"TestKill"}, 3},
	{"kill-clients", "cmd/nullspfd", []string{"TestKill"}, 1},
	{"stop", "internal/loadtest", []string{"TestStopUnderLoad", "TestReloadUnderLoad", "TestXDPReload"}, 3},
	{"account", "internal/loadtest", []string{"TestAccounting"}, 2},
	{"flood", "internal/loadtest", []string{"TestMemoryUnderFlood"}, 3},
	{"power", "internal/loadtest", []string{"TestPowerLoss"}, 3},
	{"disk", "internal/loadtest", []string{"TestDiskFull", "TestFrozenAndReadOnly", "TestFailingDisk", "TestInputOutputErrors"}, 3},
	{"eio", "internal/loadtest", []string{"TestErrorAtEachCall"}, 3},
	{"primaries", "internal/loadtest", []string{"TestHostilePrimaries"}, 3},
	{"clock", "internal/secondary", []string{"TestClockWalk"}, 1},
	{"files", "internal/loadtest", []string{"TestDamagedFiles"}, 3},
	{"bits", "internal/forgerylog", []string{"TestEveryBit"}, 4},
	// TORTURE=2h SCENARIO=soak
	{"soak", "internal/loadtest", []string{"TestSoak"}, 0},
	{"soak-xdp", "internal/loadtest", []string{"TestXDPSoak"}, 0},
}
