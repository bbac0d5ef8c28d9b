// Package deploy holds what runs Keyhole and watches it: the image, the compose
// file, the systemd unit, the rules of Prometheus, the dashboard of Grafana and
// the manual. There is no code here but the tests of those files.
package deploy
