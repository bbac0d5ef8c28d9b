// Command floor has the handlers that the benchmark compares Keyhole with: the cheapest
// possible redirects, and the obvious implementation of short links. They have no
// middleware and no logging, and clients with default options.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/labstack/echo/v4"
	"github.com/redis/go-redis/v9"
)

// Record is what the obvious version stores for a link.
type Record struct {
	Bucket  string    `json:"bucket"`
	Key     string    `json:"key"`
	Expires time.Time `json:"expires"`
}

// main reads the flags. The benchmark starts one process for each floor and Redis.
func main() {
	kind := flag.String("kind", "", "redirect, get, pipelined or obvious")
	listen := flag.String("listen", "127.0.0.1:0", "address")
	addresses := flag.String("redis", "127.0.0.1:6379", "address of Redis, or those of a cluster's nodes, separated "+
		"by commas")
	endpoint := flag.String("s3", "http://127.0.0.1:7070", "endpoint of the storage")
	flag.Parse()
	if err := serve(*kind, *listen, strings.Split(*addresses, ","), *endpoint); err != nil {
		fmt.Fprintln(os.Stderr, "floor:", err)
		os.Exit(1)
	}
}

// serve answers GET /:token until it fails.
func serve(kind, listen string, addresses []string, endpoint string) error {
	client := redis.NewUniversalClient(&redis.UniversalOptions{Addrs: addresses})
	var click echo.HandlerFunc
	switch kind {
	case "redirect":
		click = redirectOnly
	case "get":
		click = getAndRedirect(client)
	case "pipelined":
		click = pipelinedGet(client)
	case "obvious":
		click = obvious(client, s3.NewPresignClient(s3.New(s3.Options{
			Region: "us-east-1", BaseEndpoint: aws.String(endpoint), UsePathStyle: true,
			Credentials: credentials.NewStaticCredentialsProvider("AKIAIOSFODNN7EXAMPLE", "a-secret-of-the-benchmark", ""),
		})))
	default:
		return errors.New("the kind is redirect, get, pipelined or obvious")
	}
	// The banner would be in the output that the benchmark shows after an error.
	e := echo.New()
	e.HideBanner, e.HidePort = true, true
	e.GET("/:token", click)
	return e.Start(listen)
}

// redirectOnly redirects every request to the same URL.
func redirectOnly(c echo.Context) error {
	return c.Redirect(http.StatusFound, "https://reports.s3.us-east-1.amazonaws.com/exports/"+c.Param("token"))
}

// getAndRedirect redirects to the URL that Redis has for the token.
func getAndRedirect(client redis.UniversalClient) echo.HandlerFunc {
	return func(c echo.Context) error {
		location, err := client.Get(c.Request().Context(), c.Param("token")).Result()
		return answer(c, location, err)
	}
}

// answer redirects, or answers with the error.
func answer(c echo.Context, location string, err error) error {
	switch {
	case errors.Is(err, redis.Nil):
		return echo.ErrNotFound
	case err != nil:
		return echo.ErrServiceUnavailable
	}
	return c.Redirect(http.StatusFound, location)
}

// asked is one GET that waits for its pipeline.
type asked struct {
	key   string
	value string
	err   error
	done  chan struct{}
}

// The goroutines that drain the queue of a pipelined GET, and the most that each
// sends at once.
const (
	drainers = 2
	most     = 256
)

// pipelinedGet is getAndRedirect with concurrent GETs joined into pipelines.
func pipelinedGet(client redis.UniversalClient) echo.HandlerFunc {
	queue := make(chan *asked, most)
	for range drainers {
		go func() {
			for first := range queue {
				drain(client, first, queue)
			}
		}()
	}
	return func(c echo.Context) error {
		a := &asked{key: c.Param("token"), done: make(chan struct{})}
		queue <- a
		<-a.done
		return answer(c, a.value, a.err)
	}
}

// drain sends the GETs that are waiting in one pipeline.
func drain(client redis.UniversalClient, first *asked, queue <-chan *asked) {
	ctx := context.Background()
	// Only GETs that are already waiting: to wait for more would delay the first.
	batch := []*asked{first}
	for len(batch) < most && len(queue) > 0 {
		batch = append(batch, <-queue)
	}
	// A pipeline and not MGET, because the keys of a cluster are on different nodes.
	pipe := client.Pipeline()
	replies := make([]*redis.StringCmd, len(batch))
	for i, a := range batch {
		replies[i] = pipe.Get(ctx, a.key)
	}
	_, _ = pipe.Exec(ctx) // The errors are in the commands.
	for i, a := range batch {
		a.value, a.err = replies[i].Result()
		close(a.done)
	}
}

// obvious is the implementation that most people would write first: a record in JSON, a
// URL presigned by the SDK, and a counter.
func obvious(client redis.UniversalClient, presigner *s3.PresignClient) echo.HandlerFunc {
	return func(c echo.Context) error {
		ctx, token := c.Request().Context(), c.Param("token")
		raw, err := client.Get(ctx, "json:"+token).Bytes()
		if err != nil {
			return answer(c, "", err)
		}
		var record Record
		if err := json.Unmarshal(raw, &record); err != nil {
			return err
		}
		if time.Now().After(record.Expires) {
			return echo.NewHTTPError(http.StatusGone)
		}
		// Two commands are not atomic: the obvious version counts clicks, but could not limit
		// them.
		if err := client.Incr(ctx, "count:"+token).Err(); err != nil {
			return answer(c, "", err)
		}
		// The lifetime is that of Keyhole's default, so that both sign the same.
		signed, err := presigner.PresignGetObject(ctx, &s3.GetObjectInput{Bucket: &record.Bucket, Key: &record.Key},
			s3.WithPresignExpires(30*time.Second))
		if err != nil {
			return err
		}
		return c.Redirect(http.StatusFound, signed.URL)
	}
}
