package peers

import "fmt"

// clickhouseConf is the configuration of ClickHouse: the HTTP interface at an address,
// data in a directory, the user default without password.
const clickhouseConf = `<yandex>
	<logger><level>warning</level><console>1</console></logger>
	<listen_host>%[1]s</listen_host>
	<http_port>%[2]d</http_port>
	<path>%[3]s/data/</path>
	<tmp_path>%[3]s/tmp/</tmp_path>
	<user_files_path>%[3]s/files/</user_files_path>
	<format_schema_path>%[3]s/schemas/</format_schema_path>
	<mark_cache_size>67108864</mark_cache_size>
	<users_config>%[4]s</users_config>
	<default_profile>default</default_profile>
	<default_database>default</default_database>
%[5]s</yandex>
`

const clickhouseUsers = `<yandex>
	<profiles><default><max_memory_usage>2000000000</max_memory_usage></default></profiles>
	<users><default>
		<password></password>
		<networks><ip>127.0.0.1</ip></networks>
		<profile>default</profile>
		<quota>default</quota>
	</default></users>
	<quotas><default></default></quotas>
</yandex>
`

func (s *Server) configureClickHouse() ([]string, error) {
	users, err := s.write("users.xml", clickhouseUsers)
	if err != nil {
		return nil, err
	}
	conf, err := s.write("config.xml", fmt.Sprintf(clickhouseConf, s.Address.Addr(), s.Address.Port(), s.Dir, users, s.Options))
	return []string{"clickhouse-server", "--config-file=" + conf}, err
}
