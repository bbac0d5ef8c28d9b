// Package config reads and checks the configuration of `keyhole serve`. The sources are a
// YAML file, then KEYHOLE_ environment variables, then the overrides of the caller; the
// later source wins.
//
// Read [Config] first: its fields are all keys, with meaning, unit and default. [Load] reads
// a configuration, and [Config.Prepare] checks one that was made in code. Reading is strict.
// It reports all problems at once, because otherwise an operator would have to restart the
// service for each problem.
package config
