-- The table into which "nullspf log ship" sends events, for ClickHouse 18.16 and later:
--
--   clickhouse-client --multiquery <events.sql
--
-- The columns are those of segments (docs/journal.md); ts is nanoseconds since 1970-01-01
-- UTC. date is the UTC day, client_net 24 bits of client_ip, 48 of an IPv6 address, and
-- client_hex its bytes, by which networks are selected.
CREATE DATABASE IF NOT EXISTS nullspf;
CREATE TABLE IF NOT EXISTS nullspf.events (
    date Date,
    client_net String,
    client_hex String,
    ts Int64,
    seq Int64,
    server_id String,
    zone String,
    kind String,
    client_ip String,
    sender_local String,
    sender_domain String,
    forged_domain String,
    helo String,
    resolver String,
    resolver_port Int32,
    transport String,
    qtype Int32,
    client_subnet String,
    source_verified UInt8,
    flags String,
    attempt UInt8,
    raw_name String,
    recipients Int32,
    recipient_domain String,
    tls UInt8,
    duration Int64,
    cause String,
    software String,
    messages Int64,
    disposition String,
    spf String,
    dkim String,
    override String,
    reporter String,
    report_id String,
    range_end Int64
) ENGINE = MergeTree PARTITION BY toYYYYMM(date) ORDER BY (date, server_id, seq);
