package nameserver

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"nullspf/internal/evidence/blocklist"
	"nullspf/internal/secondary"
	"nullspf/internal/xfr"
)

// metricsRegistry is where metrics are collected from.
type metricsRegistry = *prometheus.Registry

// The metrics. For UDP and TCP each,
//
//	received = sum of answered + sum of dropped,
//	tracked  = stored + sum of lost,
//
// as soon as all that was received is answered and written. No label holds
// anything that a client chose.
var (
	descReceived = prometheus.NewDesc("nullspfd_queries_received_total",
		"Messages received.", []string{"transport"}, nil)
	descAnswered = prometheus.NewDesc("nullspfd_queries_answered_total",
		"Messages answered, by kind of answer; limited ones were sent to TCP by the rate limit.", []string{"transport", "answer"}, nil)
	descDropped = prometheus.NewDesc("nullspfd_queries_dropped_total",
		"Messages not answered, by reason.", []string{"transport", "reason"}, nil)
	descBeside = prometheus.NewDesc("nullspfd_xdp_received_total",
		"Messages over UDP that were received by AF_XDP, beside the sockets.", nil, nil)
	descSendErrors = prometheus.NewDesc("nullspfd_send_errors_total",
		"Answers over UDP that the kernel did not take.", nil, nil)
	descSocketDrops = prometheus.NewDesc("nullspfd_socket_drops_total",
		"UDP messages that the kernel dropped before they were received.", nil, nil)
	descTracked = prometheus.NewDesc("nullspfd_events_total",
		"Answered queries, and SMTP sessions, that were events.", nil, nil)
	descStored = prometheus.NewDesc("nullspfd_events_stored_total",
		"Events stored in the journal.", nil, nil)
	descLost = prometheus.NewDesc("nullspfd_events_lost_total",
		"Events not stored, by reason.", []string{"reason"}, nil)
	descJournalDamage = prometheus.NewDesc("nullspfd_journal_damage",
		"What was found damaged in the journal since the start: events in journal files, and segments.", []string{"what"}, nil)
	descJournalPanics = prometheus.NewDesc("nullspfd_journal_panics_total",
		"Internal errors while events were written or sealed; it was tried again.", nil, nil)
	descConnections = prometheus.NewDesc("nullspfd_tcp_connections",
		"Open TCP connections.", nil, nil)
	descOver = prometheus.NewDesc("nullspfd_tcp_refused_total",
		"TCP connections closed because of a limit: that of all, for which the longest idle one goes, or that of one client.", []string{"limit"}, nil)
	descSessions = prometheus.NewDesc("nullspfd_smtp_sessions_total",
		"Connections of clients to the SMTP listener, refused ones too; each is an event.", nil, nil)
	descRecipients = prometheus.NewDesc("nullspfd_smtp_recipients_total",
		"Recipients that clients of the SMTP listener asked for, all of them in vain.", nil, nil)
	descSMTPConnections = prometheus.NewDesc("nullspfd_smtp_connections",
		"Open connections to the SMTP listener.", nil, nil)
	descSMTPOver = prometheus.NewDesc("nullspfd_smtp_refused_total",
		"Connections to the SMTP listener closed because of a limit: that of all, for which the longest idle one goes, or that of one client or network.", []string{"limit"}, nil)
	descSMTPErrors = prometheus.NewDesc("nullspfd_smtp_errors_total",
		"What failed at the SMTP listener: to listen, to accept a connection, the header of a proxy, a TLS handshake, to read the certificate again.", []string{"what"}, nil)
	descReloads = prometheus.NewDesc("nullspfd_reloads_total",
		"Reloads of the configuration.", []string{"result"}, nil)
	descConfigGood = prometheus.NewDesc("nullspfd_config_good",
		"1 unless the last reload failed.", nil, nil)
	descZones = prometheus.NewDesc("nullspfd_zones",
		"Zones that are served, by kind.", []string{"kind"}, nil)
	descListed = prometheus.NewDesc("nullspfd_dnsbl_entries",
		"Entries of block lists, by zone; those that have expired are none.", []string{"zone"}, nil)
	descListTime = prometheus.NewDesc("nullspfd_dnsbl_list_timestamp_seconds",
		"When the block list was made, in seconds since 1970, by zone.", []string{"zone"}, nil)
	descTransfersOut = prometheus.NewDesc("nullspfd_transfers_out_total",
		"Requests for transfers, by what became of them.", []string{"result"}, nil)
	descNotifies = prometheus.NewDesc("nullspfd_notifies_total",
		"NOTIFY messages to secondaries, by what became of them; sent counts repetitions too.", []string{"result"}, nil)
	descSecondaryZones = prometheus.NewDesc("nullspfd_secondary_zones",
		"Secondary zones, catalog zones included, by state.", []string{"state"}, nil)
	descRefreshes = prometheus.NewDesc("nullspfd_refreshes_total",
		"Refreshes of secondary zones, by whether there was a new version.", []string{"result"}, nil)
	descRefreshFailures = prometheus.NewDesc("nullspfd_refresh_failures_total",
		"Refreshes that failed at a primary, by reason.", []string{"reason"}, nil)
	descOutside = prometheus.NewDesc("nullspfd_outside_records_total",
		"Records that primaries sent and that were left out, because they are not in the zone.", nil, nil)
	descRefreshing = prometheus.NewDesc("nullspfd_refreshes",
		"Secondary zones that are refreshed now, and that wait for it.", []string{"state"}, nil)
	descNotified = prometheus.NewDesc("nullspfd_notifies_received_total",
		"NOTIFY messages for secondary zones: accepted from a primary, or refused.", []string{"result"}, nil)
	descStoreErrors = prometheus.NewDesc("nullspfd_store_errors_total",
		"Files of zones that could not be written, read or removed.", nil, nil)
	descPanics = prometheus.NewDesc("nullspfd_panics_total",
		"Faults of background work that were contained; each is a bug to report.", []string{"work"}, nil)
	descUnsaved = prometheus.NewDesc("nullspfd_unsaved_zones",
		"Zones that are served, but not on disk.", nil, nil)
	descCatalogErrors = prometheus.NewDesc("nullspfd_catalog_errors_total",
		"Versions of catalog zones that could not be used.", nil, nil)
	descSuppressed = prometheus.NewDesc("nullspfd_log_lines_suppressed_total",
		"Lines of the query log that were dropped because the log is written too slowly.", nil, nil)
	descBuild = prometheus.NewDesc("nullspfd_build_info",
		"1, with the version.", []string{"version"}, nil)
)

// newMetricsRegistry returns a registry with the metrics of s, of the Go
// runtime and of the process.
func newMetricsRegistry(s *Server) metricsRegistry {
	r := prometheus.NewRegistry()
	r.MustRegister(
		(*collector)(s),
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	return r
}

// collector reads the counters of a server when it is asked to.
type collector Server

// Describe implements [prometheus.Collector].
func (c *collector) Describe(descs chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		descReceived, descAnswered, descDropped, descBeside, descSendErrors, descSocketDrops,
		descTracked, descStored, descLost, descJournalDamage, descJournalPanics, descConnections, descOver,
		descSessions, descRecipients, descSMTPConnections, descSMTPOver, descSMTPErrors,
		descReloads, descConfigGood, descZones, descListed, descListTime, descTransfersOut, descNotifies,
		descSecondaryZones, descRefreshes, descRefreshFailures, descOutside, descRefreshing, descNotified,
		descPanics, descStoreErrors, descUnsaved, descCatalogErrors,
		descSuppressed, descBuild,
	} {
		descs <- d
	}
}

// Collect implements [prometheus.Collector].
func (c *collector) Collect(metrics chan<- prometheus.Metric) {
	s := (*Server)(c)
	counter := func(d *prometheus.Desc, v uint64, labels ...string) {
		metrics <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(v), labels...)
	}
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		metrics <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	counts := s.Counts()
	for _, t := range []struct {
		name string
		TransportCounts
	}{{"udp", counts.UDP}, {"tcp", counts.TCP}} {
		counter(descReceived, t.Received, t.name)
		for o, n := range t.outcomes {
			if outcome(o) < firstDropped {
				counter(descAnswered, n, t.name, outcomeNames[o])
			} else {
				counter(descDropped, n, t.name, outcomeNames[o])
			}
		}
	}
	counter(descBeside, counts.Beside)
	counter(descSendErrors, counts.SendErrors)
	counter(descSocketDrops, counts.SocketDrops)
	counter(descTracked, counts.Tracked)
	stats := s.recorder.Stats()
	counter(descStored, stats.Stored)
	for reason, n := range stats.Lost {
		counter(descLost, n, reason)
	}
	gauge(descJournalDamage, float64(stats.DamagedEvents), "events")
	gauge(descJournalDamage, float64(stats.DamagedSegments), "segments")
	counter(descJournalPanics, stats.Panics)
	tcp := s.tcp.conns.Counts()
	gauge(descConnections, float64(tcp.Open))
	counter(descOver, tcp.Evicted, "total")
	counter(descOver, tcp.Client, "client")
	mail := s.smtp.Stats()
	counter(descSessions, mail.Sessions)
	counter(descRecipients, mail.Recipients)
	gauge(descSMTPConnections, float64(mail.Connections.Open))
	counter(descSMTPOver, mail.Connections.Evicted, "total")
	counter(descSMTPOver, mail.Connections.Client, "client")
	counter(descSMTPOver, mail.Connections.Network, "network")
	for what, n := range map[string]uint64{"listen": mail.Listen, "accept": mail.Accept, "proxy": mail.Proxy, "tls": mail.TLS, "certificate": mail.Certificate} {
		counter(descSMTPErrors, n, what)
	}
	counter(descReloads, s.reloads.Load(), "done")
	counter(descReloads, s.failedReloads.Load(), "failed")
	good := 1.0
	if s.lastFailure.Load() != nil {
		good = 0
	}
	gauge(descConfigGood, good)
	for kind, n := range s.zoneCounts() {
		gauge(descZones, float64(n), kind)
	}
	s.eachList(func(zone string, list *blocklist.Index) {
		gauge(descListed, float64(list.Len()), zone)
		gauge(descListTime, float64(list.Serial), zone)
	})
	for i := range s.served {
		counter(descTransfersOut, s.served[i].Load(), xfr.Served(i).String())
	}
	n := s.notifier.Counts()
	for result, count := range map[string]uint64{"sent": n.Sent, "answered": n.Answered, "refused": n.Refused, "failed": n.Failed, "dropped": n.Dropped} {
		counter(descNotifies, count, result)
	}
	in := s.secondary.Status()
	for state, n := range in.Zones {
		gauge(descSecondaryZones, float64(n+in.Catalogs[state]), secondary.ZoneState(state).String())
	}
	counter(descRefreshes, in.Transferred, "transferred")
	counter(descRefreshes, in.Unchanged, "unchanged")
	for reason, n := range in.Failed {
		counter(descRefreshFailures, n, xfr.Reason(reason).String())
	}
	counter(descOutside, in.Outside)
	gauge(descRefreshing, float64(in.Running), "running")
	gauge(descRefreshing, float64(in.Waiting), "waiting")
	counter(descNotified, in.NotifyAccepted, "accepted")
	counter(descNotified, in.NotifyRefused, "refused")
	counter(descPanics, in.Panics, "secondary")
	counter(descPanics, n.Panics, "notify")
	counter(descPanics, mail.Panics, "smtp")
	counter(descPanics, s.lists.panics.Load(), "dnsbl")
	counter(descStoreErrors, in.StoreErrors)
	gauge(descUnsaved, float64(in.Unsaved))
	counter(descCatalogErrors, in.CatalogErrors)
	counter(descSuppressed, s.queryLog.suppressed.Load())
	gauge(descBuild, 1, s.options.Version)
}
