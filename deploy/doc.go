// Package deploy contains the files to run and monitor Keyhole: the image, the compose file,
// the systemd unit, Prometheus' rules, Grafana's dashboard and the manual. Its only Go code
// are the tests of those files.
package deploy
