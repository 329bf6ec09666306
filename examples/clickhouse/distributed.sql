-- One table over the events of several ClickHouse servers, after events.sql on each. Their
-- addresses are in remote_servers of config.xml, as the cluster nullspf. Each nameserver
-- sends to one of them; any is asked about all:
--
--   nullspf log top ip --store 'clickhouse://ch1.example.net/nullspf?table=all_events'
CREATE TABLE IF NOT EXISTS nullspf.all_events AS nullspf.events ENGINE = Distributed(nullspf, nullspf, events);
