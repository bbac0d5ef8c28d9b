package redisstore_test

import (
	"errors"
	"regexp"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"keyhole/gateway"
	"keyhole/gateway/redisstore"
	"keyhole/gateway/redisstore/redistest"
)

// BenchmarkCluster measures the CPU that a click takes in a cluster of three masters, in
// this process and in Redis, beside a plain GET of go-redis with default options. 64
// goroutines click at the same time.
func BenchmarkCluster(b *testing.B) {
	g := redistest.StartCluster(b)
	masters := g.Servers[:3]
	o := clientOptions(redisstore.ModeCluster, g.Addresses...)
	s := open(b, o)
	links := make([]gateway.ID, 1000)
	each(len(links), func(i int) { links[i] = create(b, s, newLink(b)).ID })
	client := redis.NewClusterClient(&redis.ClusterOptions{
		Addrs: g.Addresses, Username: redistest.Username, Password: redistest.Password,
	})
	b.Cleanup(func() { _ = client.Close() })
	for _, bench := range []struct {
		name string
		do   func(id gateway.ID)
	}{
		{"get", func(id gateway.ID) {
			if err := client.Get(b.Context(), "keyhole:"+id.String()).Err(); err != nil && !errors.Is(err, redis.Nil) {
				b.Errorf("get: %v", err)
			}
		}},
		{"click", func(id gateway.ID) { admit(b, s, id, "GET") }},
	} {
		b.Run(bench.name, func(b *testing.B) {
			const together = 64
			bench.do(links[0])
			before, redisBefore := cpuTime(b), redisCPU(b, masters)
			b.ResetTimer()
			var clicking sync.WaitGroup
			for worker := range together {
				clicking.Go(func() {
					for i := worker; i < b.N; i += together {
						bench.do(links[i%len(links)])
					}
				})
			}
			clicking.Wait()
			b.StopTimer()
			gatewayCPU, redisCPU := cpuTime(b)-before, redisCPU(b, masters)-redisBefore
			b.ReportMetric(float64(gatewayCPU.Microseconds())/float64(b.N), "gateway-µs/click")
			b.ReportMetric(float64(redisCPU.Microseconds())/float64(b.N), "redis-µs/click")
			b.ReportMetric(float64((gatewayCPU+redisCPU).Microseconds())/float64(b.N), "cpu-µs/click")
		})
	}
}

// cpuTime returns the CPU time of this process.
func cpuTime(b *testing.B) time.Duration {
	b.Helper()
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		b.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// redisCPU returns the CPU time of the main threads of servers.
func redisCPU(b *testing.B, nodes []*redistest.Server) (sum time.Duration) {
	b.Helper()
	for _, node := range nodes {
		info := node.MustDo(b, "INFO", "cpu")
		found := regexp.MustCompile(`used_cpu_(?:user|sys)_main_thread:([0-9.]+)`).FindAllStringSubmatch(info, -1)
		if len(found) != 2 {
			b.Fatalf("INFO cpu says %s", info)
		}
		for _, seconds := range found {
			took, err := time.ParseDuration(seconds[1] + "s")
			if err != nil {
				b.Fatal(err)
			}
			sum += took
		}
	}
	return sum
}
