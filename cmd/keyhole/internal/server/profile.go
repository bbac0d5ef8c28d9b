//go:build profile

package server

import (
	"log"
	"os"
	"runtime/pprof"
	"time"
)

// profiled is how long a gateway that was built with -tags profile is watched.
const profiled = time.Minute

// Such a gateway writes where it spent its first minute into PROFILE_DIRECTORY, for
// deploy/bench/run --commit-profile.
func init() { //nolint:gochecknoinits // main knows nothing of it.
	directory, ok := os.LookupEnv("PROFILE_DIRECTORY")
	if !ok {
		return
	}
	file, err := os.CreateTemp(directory, "*.pprof")
	if err != nil {
		log.Fatal(err)
	}
	if err := pprof.StartCPUProfile(file); err != nil {
		log.Fatal(err)
	}
	time.AfterFunc(profiled, func() {
		pprof.StopCPUProfile()
		if err := file.Close(); err != nil {
			log.Fatal(err)
		}
	})
}
